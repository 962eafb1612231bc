// ops/reference/root.hpp: the formulas of ops/root.hpp, in f64.
#pragma once
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {

// d = √S
inline void root_forward(const engine::View& S, const engine::View& d) {
  d() = engine::mutated("root.reference.d") ? S() : std::sqrt(S());
}

// dS = dd / (2·√S), 0 at 0
inline void root_backward(const engine::View& S, const engine::View& dd, const engine::View& dS) {
  const double two = engine::mutated("root.reference.dS") ? 1 : 2;
  dS() = S() == 0 ? 0 : dd() / (two * std::sqrt(S()));
}
}  // namespace autodidact::ops::reference
