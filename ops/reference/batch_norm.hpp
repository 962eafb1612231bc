// ops/reference/batch_norm.hpp: the equations of ops/batch_norm.hpp.
#pragma once
#include "ops/reference/batch_norm_statistics.hpp"

namespace autodidact::ops::reference {
// z: null without add. mask: where y is positive; null without ReLU.
inline void batch_norm_forward(const View& x, const View& gamma, const View& beta, const View& mean,
                               const View& variance, const View& z, double epsilon, bool replay,
                               const View& y, const View& mask) {
  const bool forgets_shift = mutated("batch_norm.reference.y"),
             forgets_z = mutated("batch_norm_add_relu.reference.y");
  const bool forgets_relu = mutated("batch_norm_relu.reference.y");
  for (std::int64_t c = 0; c < x.shape[1]; ++c) {
    const double r = 1 / std::sqrt(variance(c) + epsilon);
    for_samples(x, c, [&](std::int64_t i) {
      y(i) = gamma(c) * (x(i) - mean(c)) * r + (forgets_shift ? 0 : beta(c)) +
             (z && !forgets_z ? z(i) : 0);
      if (!mask) return;
      if (!replay) mask(i) = y(i) > 0 ? 1 : 0;
      if (!forgets_relu) y(i) *= mask(i);
    });
  }
}

// training: mean and variance are functions of x. dx, dgamma, dbeta, dz: null if not wanted.
inline void batch_norm_backward(const View& x, const View& gamma, const View& mean,
                                const View& variance, const View& mask, const View& dy,
                                double epsilon, bool training, const View& dx, const View& dgamma,
                                const View& dbeta, const View& dz) {
  const bool unmasked = mutated("batch_norm_relu.reference.mask"),
             dz_unmasked = mutated("batch_norm_add_relu.reference.dz");
  const double m = static_cast<double>(x.count() / x.shape[1]);
  const double by_mean = training && !mutated("batch_norm.reference.dx_mean") ? 1 / m : 0;
  const double by_variance = training && !mutated("batch_norm.reference.dx_variance") ? 1 / m : 0;
  const double dgamma_sign = mutated("batch_norm.reference.dgamma") ? -1 : 1;
  const double dbeta_factor = mutated("batch_norm.reference.dbeta") ? 1 / m : 1;
  for (std::int64_t c = 0; c < x.shape[1]; ++c) {
    const double r = 1 / std::sqrt(variance(c) + epsilon);
    const auto masked = [&](std::int64_t i) { return mask && !unmasked ? dy(i) * mask(i) : dy(i); };
    double sum = 0, products = 0;  // dβ, dγ
    for_samples(x, c, [&](std::int64_t i) {
      sum += masked(i);
      products += masked(i) * (x(i) - mean(c)) * r;
    });
    if (dgamma) dgamma(c) = dgamma_sign * products;
    if (dbeta) dbeta(c) = dbeta_factor * sum;
    for_samples(x, c, [&](std::int64_t i) {
      if (dx)
        dx(i) = gamma(c) * r *
                (masked(i) - sum * by_mean - (x(i) - mean(c)) * r * products * by_variance);
      if (dz) dz(i) = dz_unmasked ? dy(i) : masked(i);
    });
  }
}
}  // namespace autodidact::ops::reference
