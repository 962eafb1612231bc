#include "engine/bf16.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/sum.hpp"

namespace {
using namespace autodidact::engine;

Bf16 of_bits(unsigned bits) {
  Bf16 number;
  number.bits = static_cast<std::uint16_t>(bits);
  return number;
}

double value(unsigned bits) { return static_cast<double>(static_cast<float>(of_bits(bits))); }
}  // namespace

TEST_CASE("bf16: all that it has comes back, and what lies between two goes to the nearer, at a tie to the even one") {
  for (unsigned bits = 0; bits < 0x7F80U; ++bits) {  // every number from 0 to the largest
    const double low = value(bits), high = bits + 1 < 0x7F80U ? value(bits + 1) : 2 * value(bits) - value(bits - 1);
    const double tie = (low + high) / 2;  // an f32, exactly
    const auto rounded = [](double number) { return unsigned{Bf16(static_cast<float>(number)).bits}; };
    const auto toward = [](double number, double other) {
      return static_cast<double>(std::nextafter(static_cast<float>(number), static_cast<float>(other)));
    };
    const bool right = rounded(low) == bits && rounded(tie) == bits + bits % 2 && rounded(toward(tie, low)) == bits &&
                       rounded(toward(tie, high)) == bits + 1 && rounded(-low) == (bits | 0x8000U);
    if (!right) FAIL_CHECK("wrong near " << low);
  }
}

TEST_CASE("bf16: infinities stay, and no NaN becomes one") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(static_cast<float>(Bf16(infinity)) == infinity);
  CHECK(static_cast<float>(Bf16(-infinity)) == -infinity);
  for (const std::uint32_t bits : {0x7F800001U, 0x7FFFFFFFU, 0x7FC00000U, 0xFFFFFFFFU, 0xFF800001U}) {
    CAPTURE(bits);
    CHECK(std::isnan(static_cast<float>(Bf16(std::bit_cast<float>(bits)))));
  }
}

TEST_CASE("bf16: gradients are added in f32 and rounded once, also where the sum lies on the first of them") {
  // 1 + 2^-9 + 2^-9 is 1 + 2^-8, half way to the next number, and 2^-12 more decides; rounded in between it would stay at 1.
  const std::vector<float> terms{1, 1.0F / 512, 1.0F / 512, 1.0F / 4096};
  constexpr std::int64_t kCount = 3000;  // several parts, and a rest
  std::vector<std::vector<Bf16>> summands;
  for (const float term : terms) summands.emplace_back(kCount, Bf16(term));
  std::vector<void*> reads;
  for (auto& summand : summands) reads.push_back(summand.data());
  void* writes[] = {summands.front().data()};
  Lanes lanes(2);
  lanes.run_wide([&](Lane& lane) { sum_kernel(4, {{kCount}, DType::bf16, {}})(lane, {reads.data(), writes, nullptr}); });
  for (const Bf16 sum : summands.front())
    if (static_cast<float>(sum) != 1.0F + 1.0F / 128) FAIL_CHECK("got " << static_cast<float>(sum));
}
