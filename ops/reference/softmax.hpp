// ops/reference/softmax.hpp: log softmax of one row, as the two softmax losses use it.
//
// log softmax(z/T)_q = z_q/T − log Σ_p exp(z_p/T). Subtracting m = max z from every z changes neither side, and keeps exp
// from overflowing.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/op.hpp"

namespace autodidact::ops::reference {

// Row n of z (N,Q); call it with a class q for log softmax(z_n/T)_q.
class LogSoftmax {
 public:
  LogSoftmax(const engine::View& z, std::int64_t n, double temperature)
      : z_(z), n_(n), temperature_(temperature) {
    for (std::int64_t q = 0; q < z.shape[1]; ++q) max_ = std::max(max_, z(n, q));
    double sum = 0;
    for (std::int64_t q = 0; q < z.shape[1]; ++q) sum += std::exp((z(n, q) - max_) / temperature);
    log_sum_ = std::log(sum);
  }
  double operator()(std::int64_t q) const { return (z_(n_, q) - max_) / temperature_ - log_sum_; }

 private:
  const engine::View& z_;
  std::int64_t n_;
  double temperature_;
  double max_ = -std::numeric_limits<double>::infinity(), log_sum_ = 0;
};
}  // namespace autodidact::ops::reference
