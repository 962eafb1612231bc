#include "optim/sgd.hpp"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace autodidact::optim {
namespace {
using engine::DType, engine::ParameterStore, engine::Section;

template <class T>
struct Factors {
  T rate, momentum, decay;
  bool nesterov;
};

template <class T>
void update_with_momentum(T* __restrict w, const T* __restrict gradient, T* __restrict v,
                          std::int64_t count, const Factors<T>& f) {
  if (f.nesterov) {
    for (std::int64_t i = 0; i < count; ++i) {
      const T g = gradient[i] + f.decay * w[i];
      v[i] = f.momentum * v[i] + g;
      w[i] -= f.rate * (g + f.momentum * v[i]);
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    v[i] = f.momentum * v[i] + (gradient[i] + f.decay * w[i]);
    w[i] -= f.rate * v[i];
  }
}

template <class T>
void update_without_momentum(T* __restrict w, const T* __restrict gradient, std::int64_t count,
                             const Factors<T>& f) {
  for (std::int64_t i = 0; i < count; ++i) w[i] -= f.rate * (gradient[i] + f.decay * w[i]);
}

template <class T>
void sweep(engine::Lane& lane, ParameterStore& store, std::span<const Chunk> chunks,
           const SgdOptions& options, double learning_rate) {
  lane.parallel(
      static_cast<std::int64_t>(chunks.size()), [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t i = begin; i < end; ++i) {
          const Chunk& chunk = chunks[static_cast<std::size_t>(i)];
          const Factors<T> factors{static_cast<T>(learning_rate), static_cast<T>(options.momentum),
                                   static_cast<T>(chunk.decay ? options.weight_decay : 0),
                                   options.nesterov};
          T* w = elements<T>(store, Section::values, chunk);
          const T* gradient = elements<T>(store, Section::gradients, chunk);
          if (options.momentum == 0)
            update_without_momentum(w, gradient, chunk.count, factors);
          else
            update_with_momentum(w, gradient, elements<T>(store, Section::momentum, chunk),
                                 chunk.count, factors);
        }
      });
}

void require_not_negative(double value, std::string_view name) {
  if (!(value >= 0) || !std::isfinite(value))
    throw std::invalid_argument(
        fmt::format("{} must be a finite number that is not negative, got {}", name, value));
}
// A weight of rank 1 scales channels; a bias belongs to the weight of the same module.
bool of_batch_norm(const engine::ParameterLayout& layout, const engine::Slot& slot) {
  constexpr std::string_view kBias = ".bias";
  if (!slot.name.ends_with(kBias)) return slot.shape.rank() == 1;
  const engine::Slot* weight = layout.parameter(slot.name.substr(0, slot.name.size() - kBias.size()) + ".weight");
  return weight && weight->shape.rank() == 1;
}
}  // namespace

void check(const SgdOptions& options) {
  require_not_negative(options.momentum, "momentum");
  require_not_negative(options.weight_decay, "weight decay");
  if (options.nesterov && options.momentum == 0)
    throw std::invalid_argument("Nesterov's form needs a momentum above 0, got 0");
}

Sgd::Sgd(const SgdOptions& options, const engine::ParameterLayout& layout,
         std::span<const std::string> gradients)
    : options_(options) {
  check(options);
  chunks_ = chunks_of(layout, gradients, [&](const engine::Slot& slot) {
    return options.decay_batch_norm || !of_batch_norm(layout, slot);
  });
}

void Sgd::step(engine::Lane& lane, ParameterStore& store, double learning_rate) const {
  if (store.master() == DType::f64)
    sweep<double>(lane, store, chunks_, options_, learning_rate);
  else
    sweep<float>(lane, store, chunks_, options_, learning_rate);
}
}  // namespace autodidact::optim
