// ops/reference/convolution_batch_norm.hpp: the equations of ops/convolution_batch_norm.hpp, in f64.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::View;

// w' and b of the convolution that does the batch norm too.
inline void fold_batch_norm(const View& w, const View& gamma, const View& beta, const View& mean, const View& variance,
                            double epsilon, const View& folded, const View& shift) {
  const bool forgets_mean = engine::mutated("convolution_batch_norm.reference.b");
  const bool forgets_epsilon = engine::mutated("convolution_batch_norm.reference.w");
  const std::int64_t weights = w.count() / w.shape[0];  // of one output channel
  for (std::int64_t k = 0; k < w.shape[0]; ++k) {
    const double scale = gamma(k) / std::sqrt(variance(k) + (forgets_epsilon ? 0 : epsilon));
    for (std::int64_t i = k * weights; i < (k + 1) * weights; ++i) folded(i) = w(i) * scale;
    shift(k) = beta(k) - (forgets_mean ? 0 : mean(k) * scale);
  }
}

// y holds conv(x, w'). z: null without add.
inline void add_shift(const View& shift, const View& z, bool relu, const View& y) {
  const bool forgets_z = engine::mutated("convolution_batch_norm.reference.z");
  const bool forgets_relu = engine::mutated("convolution_batch_norm.reference.relu");
  const std::int64_t plane = y.shape[2] * y.shape[3];
  for (std::int64_t i = 0; i < y.count(); ++i) {
    y(i) += shift(i / plane % y.shape[1]) + (z && !forgets_z ? z(i) : 0);
    if (relu && !forgets_relu) y(i) = std::max(0.0, y(i));
  }
}
}  // namespace autodidact::ops::reference
