// ops/reference/relu.hpp: the equations of ops/relu.hpp.
#pragma once
#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::View;

// The decision is kept in `mask`; a replay takes it from there.
inline void relu_forward(const View& x, bool replay, const View& y, const View& mask) {
  const double slope = engine::mutated("relu.reference.y") ? 0.1 : 0;  // leaks where it is closed
  for (std::int64_t i = 0; i < x.count(); ++i) {
    if (!replay) mask(i) = x(i) > 0 ? 1 : 0;
    y(i) = x(i) * (mask(i) + slope * (1 - mask(i)));
  }
}

inline void relu_backward(const View& mask, const View& dy, const View& dx) {
  const bool wrong = engine::mutated("relu.reference.dx");  // open where it was closed
  for (std::int64_t i = 0; i < dy.count(); ++i) dx(i) = dy(i) * (wrong ? 1 - mask(i) : mask(i));
}
}  // namespace autodidact::ops::reference
