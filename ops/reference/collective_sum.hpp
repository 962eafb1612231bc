// ops/reference/collective_sum.hpp: the formulas of ops/collective_sum.hpp; the reference has one rank.
#pragma once
#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {

// S = s
inline void collective_sum_forward(const engine::View& s, const engine::View& S) {
  S() = engine::mutated("collective_sum.reference.S") ? 2 * s() : s();
}

// ds = dS
inline void collective_sum_backward(const engine::View& dS, const engine::View& ds) {
  ds() = engine::mutated("collective_sum.reference.ds") ? 0 : dS();
}
}  // namespace autodidact::ops::reference
