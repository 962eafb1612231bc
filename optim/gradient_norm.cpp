#include "optim/gradient_norm.hpp"

#include <cmath>
#include <numeric>

#include "optim/sum_of_squares.hpp"

namespace autodidact::optim {
GradientNorm::GradientNorm(const engine::ParameterLayout& layout,
                           std::span<const std::string> gradients)
    : chunks_(chunks_of(layout, gradients, [](const engine::Slot&) { return true; })),
      squares_(chunks_.size()) {}

double GradientNorm::operator()(engine::Lane& lane, const engine::ParameterStore& store) {
  in_master_type(store, [&](auto number) {
    using T = decltype(number);
    for_each_chunk(lane, chunks_, [&](const Chunk& chunk, std::size_t i) {
      squares_[i] = sum_of_squares(elements<T>(store, engine::Section::gradients, chunk), chunk.count);
    });
  });
  return std::sqrt(std::accumulate(squares_.begin(), squares_.end(), 0.0));
}
}  // namespace autodidact::optim
