// optim/sum_of_squares.hpp: Σ x² of a piece of a parameter, in f64.
#pragma once
#include <cstdint>
#include <numeric>

namespace autodidact::optim {

// Eight sums side by side, so that the compiler may vectorise them without reordering one.
template <class T>
double sum_of_squares(const T* numbers, std::int64_t count) {
  constexpr std::int64_t kWidth = 8;
  double side_by_side[kWidth] = {};
  std::int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth)
    for (std::int64_t j = 0; j < kWidth; ++j) {
      const double number = numbers[i + j];
      side_by_side[j] += number * number;
    }
  for (; i < count; ++i) {
    const double number = numbers[i];
    side_by_side[0] += number * number;
  }
  return std::accumulate(side_by_side, side_by_side + kWidth, 0.0);
}
}  // namespace autodidact::optim
