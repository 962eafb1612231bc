#include "optim/sgd.hpp"

#include <stdexcept>

namespace autodidact::optim {
namespace {
using engine::ParameterStore, engine::Section;

template <class T>
struct Factors {
  T rate, scale, momentum, decay;
  bool nesterov;
};

template <class T>
void update_with_momentum(T* __restrict w, const T* __restrict gradient, T* __restrict v,
                          std::int64_t count, const Factors<T>& f) {
  if (f.nesterov) {
    for (std::int64_t i = 0; i < count; ++i) {
      const T g = f.scale * gradient[i] + f.decay * w[i];
      v[i] = f.momentum * v[i] + g;
      w[i] -= f.rate * (g + f.momentum * v[i]);
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    v[i] = f.momentum * v[i] + (f.scale * gradient[i] + f.decay * w[i]);
    w[i] -= f.rate * v[i];
  }
}

template <class T>
void update_without_momentum(T* __restrict w, const T* __restrict gradient, std::int64_t count,
                             const Factors<T>& f) {
  for (std::int64_t i = 0; i < count; ++i) w[i] -= f.rate * (f.scale * gradient[i] + f.decay * w[i]);
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
  chunks_ = chunks_of(layout, gradients, decaying(layout, options.decay_batch_norm));
}

void Sgd::step(engine::Lane& lane, ParameterStore& store, const UpdateStep& step) {
  in_master_type(store, [&](auto number) {
    using T = decltype(number);
    for_each_chunk(lane, chunks_, [&](const Chunk& chunk, std::size_t) {
      const Factors<T> factors{static_cast<T>(step.learning_rate), static_cast<T>(step.gradient_scale),
                               static_cast<T>(options_.momentum),
                               static_cast<T>(chunk.decay ? options_.weight_decay : 0), options_.nesterov};
      T* w = elements<T>(store, Section::values, chunk);
      const T* gradient = elements<T>(store, Section::gradients, chunk);
      if (options_.momentum == 0)
        update_without_momentum(w, gradient, chunk.count, factors);
      else
        update_with_momentum(w, gradient, elements<T>(store, Section::momentum, chunk), chunk.count, factors);
    });
  });
}
}  // namespace autodidact::optim
