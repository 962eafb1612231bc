#include "data/split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "engine/random.hpp"

namespace autodidact::data {

std::size_t validation_size(std::size_t samples) {
  constexpr std::size_t kUsual = 5000;
  return samples >= 10 * kUsual ? kUsual : std::max<std::size_t>(samples / 10, 1);
}

Split split_validation(std::size_t samples, Validation validation, std::uint64_t seed) {
  Split split;
  split.train = engine::permutation(seed, engine::Purpose::split, 0, samples);
  if (validation == Validation::held_out) {
    if (samples < 2) {
      throw std::invalid_argument(
          fmt::format("a validation split needs at least 2 training samples, got {}", samples));
    }
    const auto rest = split.train.end() - static_cast<std::ptrdiff_t>(validation_size(samples));
    split.validation.assign(rest, split.train.end());
    split.train.erase(rest, split.train.end());
  }
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

}  // namespace autodidact::data
