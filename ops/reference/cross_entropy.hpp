// ops/reference/cross_entropy.hpp: the formulas of ops/cross_entropy.hpp, in f64, one loop each.
#pragma once
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/reference/softmax.hpp"

namespace autodidact::ops::reference {

struct CrossEntropyInputs {
  engine::View z, y1, y2, mix, smoothing, inv_batch;

  // t_q of sample n.
  double target(std::int64_t n, std::int64_t q) const {
    const double s = smoothing(), m = mix(), class_index = static_cast<double>(q);
    const double labels = m * (y1(n) == class_index) + (1 - m) * (y2(n) == class_index);
    return (1 - s) * labels + s / static_cast<double>(z.shape[1]);
  }
};

// L = −b·Σ_n Σ_q t_q·log p_q
inline void cross_entropy_forward(const CrossEntropyInputs& in, const engine::View& loss) {
  const bool wrong = engine::mutated("cross_entropy.reference.loss");  // an unnormalised mean
  double sum = 0;
  for (std::int64_t n = 0; n < in.z.shape[0]; ++n) {
    const LogSoftmax log_p(in.z, n, 1.0);
    for (std::int64_t q = 0; q < in.z.shape[1]; ++q) sum -= in.target(n, q) * log_p(q);
  }
  loss() = wrong ? sum : in.inv_batch() * sum;
}

// dz = dL·b·(p − t)
inline void cross_entropy_backward(const CrossEntropyInputs& in, const engine::View& dloss,
                                   const engine::View& dz) {
  const bool wrong = engine::mutated("cross_entropy.reference.dz");  // forgets the target
  for (std::int64_t n = 0; n < in.z.shape[0]; ++n) {
    const LogSoftmax log_p(in.z, n, 1.0);
    for (std::int64_t q = 0; q < in.z.shape[1]; ++q) {
      const double t = wrong ? 0.0 : in.target(n, q);
      dz(n, q) = dloss() * in.inv_batch() * (std::exp(log_p(q)) - t);
    }
  }
}
}  // namespace autodidact::ops::reference
