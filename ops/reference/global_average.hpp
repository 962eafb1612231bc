// ops/reference/global_average.hpp: the equations of ops/global_average.hpp.
#pragma once
#include <algorithm>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/reference/pixels.hpp"

namespace autodidact::ops::reference {
using engine::View;

inline void global_average_forward(const View& x, const View& y) {
  const bool wrong = engine::mutated("global_average.reference.y");  // divides by the height alone
  const auto pixels = static_cast<double>(wrong ? x.shape[2] : x.shape[2] * x.shape[3]);
  std::fill(y.data, y.data + y.count(), 0.0);
  for_each_pixel(x.shape,
                 [&](auto n, auto c, auto h, auto w) { y(n, c) += x(n, c, h, w) / pixels; });
}

inline void global_average_backward(const View& dy, const View& dx) {
  const bool wrong = engine::mutated("global_average.reference.dx");  // forgets to divide
  const auto pixels = static_cast<double>(wrong ? 1 : dx.shape[2] * dx.shape[3]);
  for_each_pixel(dx.shape,
                 [&](auto n, auto c, auto h, auto w) { dx(n, c, h, w) = dy(n, c) / pixels; });
}
}  // namespace autodidact::ops::reference
