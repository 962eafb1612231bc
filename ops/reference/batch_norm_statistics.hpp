// ops/reference/batch_norm_statistics.hpp: mean and variance of a batch, and their running averages, as in ops/batch_norm.hpp.
#pragma once
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::mutated, engine::View;

// each(index) for every sample of channel c.
template <class Each>
void for_samples(const View& x, std::int64_t c, Each each) {
  const std::int64_t plane = x.shape[2] * x.shape[3];
  for (std::int64_t n = 0; n < x.shape[0]; ++n)
    for (std::int64_t i = 0; i < plane; ++i) each((n * x.shape[1] + c) * plane + i);
}

inline void batch_norm_statistics(const View& x, const View& mean, const View& variance) {
  const double m = static_cast<double>(x.count() / x.shape[1]);
  const double divisor = mutated("batch_norm.reference.variance") ? m - 1 : m;
  const bool wrong_mean = mutated("batch_norm.reference.mean");  // divides by M − 1
  for (std::int64_t c = 0; c < x.shape[1]; ++c) {
    double sum = 0, squares = 0;
    for_samples(x, c, [&](std::int64_t i) { sum += x(i); });
    mean(c) = sum / (wrong_mean ? m - 1 : m);
    for_samples(x, c, [&](std::int64_t i) { squares += (x(i) - mean(c)) * (x(i) - mean(c)); });
    variance(c) = squares / divisor;
  }
}

inline void batch_norm_running(const View& mean, const View& variance, double m, double momentum,
                               const View& running_mean, const View& running_var,
                               const View& new_mean, const View& new_var) {
  const double weight = mutated("batch_norm.reference.running_mean") ? 1 - momentum : momentum;
  const double unbiased = mutated("batch_norm.reference.running_var") ? 1 : m / (m - 1);
  for (std::int64_t c = 0; c < mean.count(); ++c) {
    new_mean(c) = (1 - weight) * running_mean(c) + weight * mean(c);
    new_var(c) = (1 - momentum) * running_var(c) + momentum * variance(c) * unbiased;
  }
}
}  // namespace autodidact::ops::reference
