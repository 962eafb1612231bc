// ops/softmax_rows.hpp: what the fast kernels of the two softmax losses share, one row of f32 logits at a time.
//
// softmax(z/T)_q = e_q / Σe with e_q = exp((z_q − max z)/T): the largest exponent is 0, so nothing overflows and Σe ≥ 1.
// Rows are summed in f64: log Σe keeps its digits where one class has nearly all the mass. A logit that is NaN or +∞
// makes the row NaN, which the trainer looks for; −∞ is the probability e^−87.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "ops/simd.hpp"

namespace autodidact::ops {

inline float row_max(const float* z, std::int64_t count) {
  constexpr std::int64_t kWidth = 16;
  float best[kWidth];
  std::fill_n(best, kWidth, -std::numeric_limits<float>::infinity());
  std::int64_t q = 0;
  for (; q + kWidth <= count; q += kWidth)
    for (std::int64_t i = 0; i < kWidth; ++i) best[i] = z[q + i] > best[i] ? z[q + i] : best[i];
  for (; q < count; ++q) best[0] = std::max(best[0], z[q]);
  return *std::max_element(best, best + kWidth);
}

// e_q = exp((z_q − max)·inverse_temperature) into `e`; returns Σe.
inline double exponentials(const float* z, std::int64_t count, float max, float inverse_temperature,
                           float* e) {
  for (std::int64_t q = 0; q < count; ++q) e[q] = fast_exp((z[q] - max) * inverse_temperature);
  double sum = 0;
  for (std::int64_t q = 0; q < count; ++q) sum += static_cast<double>(e[q]);
  return sum;
}

// The same sum where nobody wants the single terms.
inline double sum_of_exponentials(const float* z, std::int64_t count, float max,
                                  float inverse_temperature) {
  constexpr std::int64_t kPart = 128;
  float e[kPart];
  double sum = 0;
  for (std::int64_t q = 0; q < count; q += kPart)
    sum += exponentials(z + q, std::min(kPart, count - q), max, inverse_temperature, e);
  return sum;
}
}  // namespace autodidact::ops
