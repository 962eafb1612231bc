#include "engine/roof.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "engine/simd.hpp"

namespace autodidact::engine {
#if AUTODIDACT_AVX512 && defined(__OPTIMIZE__)
namespace {

constexpr int kWidth = 16, kRounds = 4096;

// So many sums side by side, each of kWidth numbers: more than a CPU needs to be busy, or so many that they do not all fit its registers.
template <int kSums>
float multiply_and_add(float factor) {
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
AUTODIDACT_KERNEL float four_sums(float factor) { return multiply_and_add<4>(factor); }
AUTODIDACT_KERNEL float eight_sums(float factor) { return multiply_and_add<8>(factor); }
AUTODIDACT_KERNEL float twelve_sums(float factor) { return multiply_and_add<12>(factor); }

// The best of some runs: what else the machine does makes it slower, never faster.
double measured() {
  constexpr int kRuns = 20;
  const auto products_per_ms = [](float (*sums)(float), int count) {
    double best = 0;
    for (int run = 0; run < kRuns; ++run) {
      const auto start = std::chrono::steady_clock::now();
      volatile float kept = sums(0.5F);
      (void)kept;
      const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      best = std::max(best, static_cast<double>(kWidth) * kRounds * count / ms);
    }
    return best;
  };
  return std::max({products_per_ms(four_sums, 4), products_per_ms(eight_sums, 8), products_per_ms(twelve_sums, 12)});
}
}  // namespace
#endif

double most_products_per_ms() {
#if AUTODIDACT_AVX512 && defined(__OPTIMIZE__)
  static const double products = measured();
  return products;
#else
  return std::numeric_limits<double>::infinity();
#endif
}
}  // namespace autodidact::engine
