// ops/reference/sigmoid.hpp: the equations of ops/sigmoid.hpp.
#pragma once
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::View;

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline void sigmoid_forward(const View& x, const View& y) {
  const bool wrong = engine::mutated("sigmoid.reference.y");  // e^x for e^−x
  for (std::int64_t i = 0; i < x.count(); ++i) y(i) = sigmoid(wrong ? -x(i) : x(i));
}

inline void sigmoid_backward(const View& y, const View& dy, const View& dx) {
  const bool wrong = engine::mutated("sigmoid.reference.dx");  // forgets 1 − y
  for (std::int64_t i = 0; i < y.count(); ++i) dx(i) = dy(i) * y(i) * (wrong ? 1 : 1 - y(i));
}
}  // namespace autodidact::ops::reference
