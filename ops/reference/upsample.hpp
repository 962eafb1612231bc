// ops/reference/upsample.hpp: the equations of ops/upsample.hpp.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/reference/pixels.hpp"

namespace autodidact::ops::reference {
using engine::View;

struct Neighbours {
  std::int64_t low, high;
  double fraction;  // λ: 0 at low, 1 at high
};

// Where output `o` of `out` lies between the `in` inputs of one axis.
inline Neighbours neighbours(std::int64_t o, std::int64_t in, std::int64_t out) {
  const double ratio = static_cast<double>(in) / static_cast<double>(out);
  const double p = std::max(0.0, (static_cast<double>(o) + 0.5) * ratio - 0.5);
  const auto low = static_cast<std::int64_t>(std::floor(p));
  return {low, std::min(low + 1, in - 1), p - static_cast<double>(low)};
}

// up(x) at one pixel.
inline double upsampled(const View& x, std::int64_t n, std::int64_t c, Neighbours h, Neighbours w) {
  const auto row = [&](std::int64_t i) {
    return (1 - w.fraction) * x(n, c, i, w.low) + w.fraction * x(n, c, i, w.high);
  };
  return (1 - h.fraction) * row(h.low) + h.fraction * row(h.high);
}

// upᵀ of one pixel: hands its gradient d back to the four inputs that made it.
inline void hand_back(const View& dx, auto n, auto c, Neighbours h, Neighbours w, double d) {
  dx(n, c, h.low, w.low) += (1 - h.fraction) * (1 - w.fraction) * d;
  dx(n, c, h.low, w.high) += (1 - h.fraction) * w.fraction * d;
  dx(n, c, h.high, w.low) += h.fraction * (1 - w.fraction) * d;
  dx(n, c, h.high, w.high) += h.fraction * w.fraction * d;
}

inline void upsample_forward(const View& x, const View& y) {
  const bool wrong = engine::mutated("upsample.reference.y");  // takes λ for 1 − λ
  for_each_pixel(y.shape, [&](auto n, auto c, auto h, auto w) {
    Neighbours row = neighbours(h, x.shape[2], y.shape[2]);
    if (wrong) std::swap(row.low, row.high);
    y(n, c, h, w) = upsampled(x, n, c, row, neighbours(w, x.shape[3], y.shape[3]));
  });
}

inline void upsample_backward(const View& dy, const View& dx) {
  const bool wrong = engine::mutated("upsample.reference.dx");  // likewise
  std::fill(dx.data, dx.data + dx.count(), 0.0);
  for_each_pixel(dy.shape, [&](auto n, auto c, auto h, auto w) {
    Neighbours row = neighbours(h, dx.shape[2], dy.shape[2]);
    if (wrong) std::swap(row.low, row.high);
    hand_back(dx, n, c, row, neighbours(w, dx.shape[3], dy.shape[3]), dy(n, c, h, w));
  });
}
}  // namespace autodidact::ops::reference
