// ops/reference/multiply.hpp: the equations of ops/multiply.hpp.
#pragma once
#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::View;

inline void multiply_forward(const View& x, const View& g, const View& y) {
  const bool wrong = engine::mutated("multiply.reference.y");  // adds
  for (std::int64_t i = 0; i < y.count(); ++i) y(i) = wrong ? x(i) + g(i) : x(i) * g(i);
}

// dx or dg may be unwanted.
inline void multiply_backward(const View& x, const View& g, const View& dy, const View& dx,
                              const View& dg) {
  const bool wrong_dx = engine::mutated("multiply.reference.dx");  // the factor is its own input
  const bool wrong_dg = engine::mutated("multiply.reference.dg");  // likewise
  for (std::int64_t i = 0; dx && i < dy.count(); ++i) dx(i) = dy(i) * (wrong_dx ? x(i) : g(i));
  for (std::int64_t i = 0; dg && i < dy.count(); ++i) dg(i) = dy(i) * (wrong_dg ? g(i) : x(i));
}
}  // namespace autodidact::ops::reference
