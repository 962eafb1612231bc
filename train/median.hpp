// train/median.hpp: the middle of some numbers, for times that now and then are far too long.
#pragma once
#include <algorithm>
#include <vector>

namespace autodidact::train {

// At least one number; of an even count, the mean of the two in the middle.
inline double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t half = numbers.size() / 2;
  return numbers.size() % 2 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}
}  // namespace autodidact::train
