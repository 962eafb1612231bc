// ops/reference/soft_cross_entropy.hpp: the formulas of ops/soft_cross_entropy.hpp, in f64, one loop each.
#pragma once
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/reference/softmax.hpp"

namespace autodidact::ops::reference {

struct SoftCrossEntropyInputs {
  engine::View z, teacher, temperature, inv_batch;
};

// S = −b·Σ_n Σ_q r_q·log p_q
inline void soft_cross_entropy_forward(const SoftCrossEntropyInputs& in, const engine::View& loss) {
  const bool wrong = engine::mutated("soft_cross_entropy.reference.loss");  // a hard teacher
  const double T = in.temperature();
  double sum = 0;
  for (std::int64_t n = 0; n < in.z.shape[0]; ++n) {
    const LogSoftmax log_p(in.z, n, T), log_r(in.teacher, n, wrong ? 1.0 : T);
    for (std::int64_t q = 0; q < in.z.shape[1]; ++q) sum -= std::exp(log_r(q)) * log_p(q);
  }
  loss() = in.inv_batch() * sum;
}

// dz = dS·b/T·(p − r)
inline void soft_cross_entropy_backward(const SoftCrossEntropyInputs& in, const engine::View& dloss,
                                        const engine::View& dz) {
  const bool wrong = engine::mutated("soft_cross_entropy.reference.dz");  // forgets 1/T
  const double T = in.temperature();
  const double scale = dloss() * in.inv_batch() / (wrong ? 1.0 : T);
  for (std::int64_t n = 0; n < in.z.shape[0]; ++n) {
    const LogSoftmax log_p(in.z, n, T), log_r(in.teacher, n, T);
    for (std::int64_t q = 0; q < in.z.shape[1]; ++q)
      dz(n, q) = scale * (std::exp(log_p(q)) - std::exp(log_r(q)));
  }
}
}  // namespace autodidact::ops::reference
