// data/split.hpp: which training samples are held out for validation.
//
// 5,000 samples, or 10 % (rounded down, at least one) where there are fewer than 50,000. Drawn without replacement, fixed by the
// seed alone; classes are not balanced. Indices ascend, so that reading either part is a walk through memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace autodidact::data {

struct Split {
  std::vector<std::uint32_t> train, validation;
};

enum class Validation { none, held_out };

std::size_t validation_size(std::size_t samples);

// Validation::none: all samples train. std::invalid_argument for fewer than two samples with held_out, or more than 2^32.
Split split_validation(std::size_t samples, Validation validation, std::uint64_t seed);

}  // namespace autodidact::data
