#include "engine/compile/roof.hpp"

#include <algorithm>
#include <chrono>

#include "engine/compile/timings.hpp"
#include "engine/onednn.hpp"
#include "engine/simd.hpp"

namespace autodidact::engine::compile_passes {
#if AUTODIDACT_AVX512 && defined(__OPTIMIZE__)
namespace {

constexpr int kWidth = 16, kSums = 12, kRounds = 4096;

// More sums side by side than a CPU needs to be busy, as many as fit its registers.
AUTODIDACT_KERNEL_AVX512 float multiply_and_add(float factor) {
  using Vector __attribute__((vector_size(kWidth * sizeof(float)))) = float;
  Vector sums[kSums];
  for (Vector& sum : sums) sum = Vector{} + factor;
  const Vector by = Vector{} + factor;
  for (int round = 0; round < kRounds; ++round)
    for (Vector& sum : sums) sum = sum * by + by;
  Vector total{};
  for (const Vector& sum : sums) total += sum;
  return total[0];
}

// The best of many runs: what else the machine does makes it slower, never faster.
double ms_of_a_billion() {
  using Clock = std::chrono::steady_clock;
  constexpr double kBillion = 1e9, kProducts = static_cast<double>(kWidth) * kSums * kRounds;
  double best = 1e9;
  for (const auto begin = Clock::now(); Clock::now() - begin < std::chrono::milliseconds(20);) {
    const auto start = Clock::now();
    volatile float kept = multiply_and_add(0.5F);
    (void)kept;
    best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return best * kBillion / kProducts;
}
}  // namespace

double least_ms_of_products(double products) {
  if (products == 0 || !onednn::has_avx512()) return 0;
  const std::string key = "1e9 products of f32 on one thread";
  auto known = timings().find(key);
  if (!known) timings().add(key, *(known = ms_of_a_billion()));
  return products / 1e9 * *known;
}
#else
double least_ms_of_products(double) { return 0; }
#endif
}  // namespace autodidact::engine::compile_passes
