// ops/reference/attention_gate.hpp: the equations of ops/attention_gate.hpp.
#pragma once
#include "ops/reference/sigmoid.hpp"
#include "ops/reference/upsample.hpp"

namespace autodidact::ops::reference {

inline void attention_gate_forward(const View& x, const View& a, const View& y) {
  const bool wrong = engine::mutated("attention_gate.reference.y");  // forgets the sigmoid
  for_each_pixel(x.shape, [&](auto n, auto c, auto h, auto w) {
    const double u = upsampled(a, n, c, neighbours(h, a.shape[2], x.shape[2]),
                               neighbours(w, a.shape[3], x.shape[3]));
    y(n, c, h, w) = x(n, c, h, w) * (wrong ? u : sigmoid(u));
  });
}

// dx or da may be unwanted.
inline void attention_gate_backward(const View& x, const View& a, const View& dy, const View& dx,
                                    const View& da) {
  const bool wrong_dx = engine::mutated("attention_gate.reference.dx");  // forgets the gate
  const bool wrong_da = engine::mutated("attention_gate.reference.da");  // forgets 1 − g
  if (da) std::fill(da.data, da.data + da.count(), 0.0);
  for_each_pixel(x.shape, [&](auto n, auto c, auto h, auto w) {
    const Neighbours row = neighbours(h, a.shape[2], x.shape[2]);
    const Neighbours column = neighbours(w, a.shape[3], x.shape[3]);
    const double g = sigmoid(upsampled(a, n, c, row, column)), d = dy(n, c, h, w);
    if (dx) dx(n, c, h, w) = wrong_dx ? d : d * g;
    if (da) {
      const double du = d * x(n, c, h, w) * g * (wrong_da ? 1 : 1 - g);
      hand_back(da, n, c, row, column, du);
    }
  });
}
}  // namespace autodidact::ops::reference
