// ops/simd.hpp: how our own f32 kernels become AVX2 and AVX-512 code without intrinsics.
//
// A kernel is a plain (non-template) function marked AUTODIDACT_KERNEL; the compiler makes one copy per ISA level and the
// loader picks the best one that the CPU has. Templates and small functions that it calls are flattened into each copy.
// Inner loops run over the channel block b, which is contiguous in every Format. Sums go into b accumulators side by
// side, so the compiler may vectorise them without reordering a sum.
#pragma once
#include <bit>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
#define AUTODIDACT_KERNEL  // sanitizers start after the loader would have called their instrumented resolvers
#else
#define AUTODIDACT_KERNEL \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
#endif

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
  const auto exponent = (static_cast<std::int32_t>(n) + 127) << 23;
  return p * std::bit_cast<float>(exponent);
}

// 1/(1 + e^−x). Absolute error < 1e-7; relative error < 2e-7 for x ≥ −87, where it is ≥ 1e-38.
inline float fast_sigmoid(float x) { return 1.0F / (1.0F + fast_exp(-x)); }
}  // namespace autodidact::ops
