#include "optim/gradient_norm.hpp"

#include <cmath>
#include <numeric>

namespace autodidact::optim {
namespace {

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
}  // namespace

GradientNorm::GradientNorm(const engine::ParameterLayout& layout,
                           std::span<const std::string> gradients)
    : chunks_(chunks_of(layout, gradients, [](const engine::Slot&) { return true; })),
      squares_(chunks_.size()) {}

double GradientNorm::operator()(engine::Lane& lane, const engine::ParameterStore& store) {
  const bool wide = store.master() == engine::DType::f64;
  const auto count = static_cast<std::int64_t>(chunks_.size());
  lane.parallel(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const Chunk& chunk = chunks_[i];
      squares_[i] = wide
                        ? sum_of_squares(elements<double>(store, engine::Section::gradients, chunk),
                                         chunk.count)
                        : sum_of_squares(elements<float>(store, engine::Section::gradients, chunk),
                                         chunk.count);
    }
  });
  return std::sqrt(std::accumulate(squares_.begin(), squares_.end(), 0.0));
}
}  // namespace autodidact::optim
