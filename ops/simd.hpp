// ops/simd.hpp: what our own kernels need beside engine/simd.hpp: functions that a vectorised loop may call.
#pragma once
#include <bit>
#include <cstdint>

#include "engine/bf16.hpp"
#include "engine/simd.hpp"

namespace autodidact::ops {

// e^x, branch-free so that a loop of it vectorises. Relative error < 1.2e-7 on [-87, 88], clamped outside; NaN stays NaN.
// Method: x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r = 1 + r + r²·q(r), where q interpolates (e^r − 1 − r)/r² at the five
// Chebyshev nodes of that interval (relative error 1e-8, a tenth of Taylor's; the rest is rounding); scaled by 2^n through
// the exponent bits.
inline float fast_exp(float x) {
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  const float shifted =
      x * 1.44269504088896341F + 12582912.0F;  // 1.5·2^23: rounds to the nearest integer
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693359375F) - n * -2.12194440e-4F;  // ln 2 in two parts
  float p = 1.39262135e-3F;
  p = p * r + 8.36320297e-3F;
  p = p * r + 4.16665544e-2F;
  p = p * r + 1.66665768e-1F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  // The lowest bits of `shifted` are those of n.
  const std::uint32_t exponent = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U;
  return p * std::bit_cast<float>(exponent);
}

// 1/(1 + e^−x). Absolute error < 1e-7; relative error < 2e-7 for x ≥ −87, where it is ≥ 1e-38.
inline float fast_sigmoid(float x) { return 1.0F / (1.0F + fast_exp(-x)); }
}  // namespace autodidact::ops
