#include "optim/lars.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "optim/sum_of_squares.hpp"

namespace autodidact::optim {
using engine::ParameterStore, engine::Section;

void check(const LarsOptions& options) {
  require_not_negative(options.momentum, "momentum");
  require_not_negative(options.weight_decay, "weight decay");
  require_not_negative(options.trust_coefficient, "trust coefficient");
  if (options.trust_coefficient == 0) throw std::invalid_argument("the trust coefficient must be above 0, got 0");
}

Lars::Lars(const LarsOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients)
    : options_(options) {
  check(options);
  chunks_ = chunks_of(layout, gradients, decaying(layout, options.decay_batch_norm));
  chunk_squares_.resize(chunks_.size());
  slot_squares_.resize(layout.parameters().size());
  for (const engine::Slot& slot : layout.parameters()) adapted_.push_back(slot.shape.rank() != 1);
}

double Lars::own_rate(const Squares& squares, bool decay, double gradient_scale) const {
  const double w = std::sqrt(squares.w), g = gradient_scale * std::sqrt(squares.g);
  const double denominator = g + (decay ? options_.weight_decay : 0) * w;
  return w > 0 && denominator > 0 ? options_.trust_coefficient * w / denominator : 1;
}

template <class T>
void Lars::sweep(engine::Lane& lane, ParameterStore& store, const UpdateStep& step) {
  for_each_chunk(lane, chunks_, [&](const Chunk& chunk, std::size_t i) {
    chunk_squares_[i] = {sum_of_squares(elements<T>(store, Section::values, chunk), chunk.count),
                         sum_of_squares(elements<T>(store, Section::gradients, chunk), chunk.count)};
  });
  std::fill(slot_squares_.begin(), slot_squares_.end(), Squares{});
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    Squares& sum = slot_squares_[static_cast<std::size_t>(chunks_[i].slot)];
    sum.w += chunk_squares_[i].w;
    sum.g += chunk_squares_[i].g;
  }
  for_each_chunk(lane, chunks_, [&](const Chunk& chunk, std::size_t) {
    const auto slot = static_cast<std::size_t>(chunk.slot);
    const double own = adapted_[slot] ? own_rate(slot_squares_[slot], chunk.decay, step.gradient_scale) : 1;
    const auto rate = static_cast<T>(step.learning_rate * own), scale = static_cast<T>(step.gradient_scale);
    const auto momentum = static_cast<T>(options_.momentum), decay = static_cast<T>(chunk.decay ? options_.weight_decay : 0);
    T* __restrict w = elements<T>(store, Section::values, chunk);
    T* __restrict v = elements<T>(store, Section::momentum, chunk);
    const T* __restrict g = elements<T>(store, Section::gradients, chunk);
    for (std::int64_t i = 0; i < chunk.count; ++i) {
      v[i] = momentum * v[i] + rate * (scale * g[i] + decay * w[i]);
      w[i] -= v[i];
    }
  });
}

void Lars::step(engine::Lane& lane, ParameterStore& store, const UpdateStep& step) {
  in_master_type(store, [&](auto number) { sweep<decltype(number)>(lane, store, step); });
}
}  // namespace autodidact::optim
