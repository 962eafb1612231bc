// ops/reference/linear.hpp: the equations of ops/linear.hpp.
#pragma once
#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::View;

inline void linear_y(const View& x, const View& w, const View& b, const View& y) {
  const bool wrong = engine::mutated("linear.reference.y");  // forgets the bias
  for (std::int64_t n = 0; n < y.shape[0]; ++n)
    for (std::int64_t q = 0; q < y.shape[1]; ++q) {
      double sum = wrong ? 0.0 : b(q);
      for (std::int64_t c = 0; c < x.shape[1]; ++c) sum += x(n, c) * w(q, c);
      y(n, q) = sum;
    }
}

inline void linear_dx(const View& dy, const View& w, const View& dx) {
  const std::int64_t first = engine::mutated("linear.reference.dx") ? 1 : 0;  // loses a class
  for (std::int64_t n = 0; n < dx.shape[0]; ++n)
    for (std::int64_t c = 0; c < dx.shape[1]; ++c) {
      double sum = 0.0;
      for (std::int64_t q = first; q < dy.shape[1]; ++q) sum += dy(n, q) * w(q, c);
      dx(n, c) = sum;
    }
}

inline void linear_dw(const View& x, const View& dy, const View& dw) {
  const std::int64_t first = engine::mutated("linear.reference.dw") ? 1 : 0;  // loses a sample
  for (std::int64_t q = 0; q < dw.shape[0]; ++q)
    for (std::int64_t c = 0; c < dw.shape[1]; ++c) {
      double sum = 0.0;
      for (std::int64_t n = first; n < x.shape[0]; ++n) sum += dy(n, q) * x(n, c);
      dw(q, c) = sum;
    }
}

inline void linear_db(const View& dy, const View& db) {
  const bool wrong = engine::mutated("linear.reference.db");  // takes the mean
  for (std::int64_t q = 0; q < db.count(); ++q) {
    double sum = 0.0;
    for (std::int64_t n = 0; n < dy.shape[0]; ++n) sum += dy(n, q);
    db(q) = wrong ? sum / static_cast<double>(dy.shape[0]) : sum;
  }
}
}  // namespace autodidact::ops::reference
