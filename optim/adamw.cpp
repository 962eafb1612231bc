#include "optim/adamw.hpp"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace autodidact::optim {
namespace {
using engine::ParameterStore, engine::Section;

// What is the same for every number of a step.
template <class T>
struct Factors {
  Factors(const AdamwOptions& o, const UpdateStep& step)
      : scale(static_cast<T>(step.gradient_scale)),
        beta1(static_cast<T>(o.beta1)),
        beta2(static_cast<T>(o.beta2)),
        new1(static_cast<T>(1 - o.beta1)),
        new2(static_cast<T>(1 - o.beta2)),
        epsilon(static_cast<T>(o.epsilon)),
        rate(static_cast<T>(step.learning_rate / (1 - std::pow(o.beta1, static_cast<double>(step.step))))),
        root(static_cast<T>(1 / std::sqrt(1 - std::pow(o.beta2, static_cast<double>(step.step))))) {}
  T scale, beta1, beta2, new1, new2, epsilon;
  T rate;  // η/(1−β₁ᵗ)
  T root;  // 1/√(1−β₂ᵗ)
};

template <class T>
void update(T* __restrict w, const T* __restrict gradient, T* __restrict m, T* __restrict s, std::int64_t count, T kept, const Factors<T>& f) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = f.scale * gradient[i];
    m[i] = f.beta1 * m[i] + f.new1 * g;
    s[i] = f.beta2 * s[i] + f.new2 * g * g;
    w[i] = kept * w[i] - f.rate * m[i] / (std::sqrt(s[i]) * f.root + f.epsilon);
  }
}

void require_memory(double beta, std::string_view name) {
  if (!(beta >= 0 && beta < 1)) throw std::invalid_argument(fmt::format("{} must be at least 0 and below 1, got {}", name, beta));
}
}  // namespace

void check(const AdamwOptions& options) {
  require_memory(options.beta1, "beta1");
  require_memory(options.beta2, "beta2");
  require_not_negative(options.epsilon, "epsilon");
  if (options.epsilon == 0) throw std::invalid_argument("epsilon must be above 0, got 0: a gradient that was always 0 would be divided by it");
  require_not_negative(options.weight_decay, "weight decay");
}

Adamw::Adamw(const AdamwOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients)
    : options_(options) {
  check(options);
  chunks_ = chunks_of(layout, gradients, decaying(layout, options.decay_batch_norm));
}

void Adamw::step(engine::Lane& lane, ParameterStore& store, const UpdateStep& step) {
  in_master_type(store, [&](auto number) {
    using T = decltype(number);
    const Factors<T> factors(options_, step);
    for_each_chunk(lane, chunks_, [&](const Chunk& chunk, std::size_t) {
      const double decay = chunk.decay ? options_.weight_decay : 0;
      update(elements<T>(store, Section::values, chunk), elements<T>(store, Section::gradients, chunk),
             elements<T>(store, Section::momentum, chunk), elements<T>(store, Section::second_moments, chunk), chunk.count,
             static_cast<T>(1 - step.learning_rate * decay), factors);
    });
  });
}
}  // namespace autodidact::optim
