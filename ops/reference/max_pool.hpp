// ops/reference/max_pool.hpp: the equations of ops/max_pool.hpp. m is kept as the number h·W + w of a pixel of the plane.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/pool_window.hpp"
#include "ops/reference/pixels.hpp"

namespace autodidact::ops::reference {
using engine::View;

// m of window (oh, ow).
inline std::int64_t arg_max(const View& x, const PoolWindow& window, std::int64_t n, std::int64_t c,
                            std::int64_t oh, std::int64_t ow) {
  const std::int64_t height = x.shape[2], width = x.shape[3];
  std::int64_t best = -1;
  double largest = 0;
  for (std::int64_t r = 0; r < window.size; ++r)
    for (std::int64_t s = 0; s < window.size; ++s) {
      const std::int64_t h = oh * window.stride - window.pad + r;
      const std::int64_t w = ow * window.stride - window.pad + s;
      if (h < 0 || h >= height || w < 0 || w >= width) continue;
      const double value = x(n, c, h, w);
      if (best >= 0 && !(value > largest) && !std::isnan(value)) continue;
      best = h * width + w;
      largest = value;
    }
  return best;
}

// With `replay` the decision m is taken as it is.
inline void max_pool_forward(const PoolWindow& window, bool replay, const View& x, const View& y,
                             const View& m) {
  const bool wrong = engine::mutated("max_pool.reference.y");  // a mean of one number
  const double scale = wrong ? 1.0 / static_cast<double>(window.size * window.size) : 1.0;
  const std::int64_t width = x.shape[3];
  for_each_pixel(y.shape, [&](auto n, auto c, auto h, auto w) {
    if (!replay) m(n, c, h, w) = static_cast<double>(arg_max(x, window, n, c, h, w));
    const auto i = static_cast<std::int64_t>(m(n, c, h, w));
    y(n, c, h, w) = scale * x(n, c, i / width, i % width);
  });
}

inline void max_pool_backward(const View& m, const View& dy, const View& dx) {
  const bool wrong = engine::mutated("max_pool.reference.dx");  // overwrites where windows overlap
  const std::int64_t width = dx.shape[3];
  std::fill(dx.data, dx.data + dx.count(), 0.0);
  for_each_pixel(dy.shape, [&](auto n, auto c, auto h, auto w) {
    const auto i = static_cast<std::int64_t>(m(n, c, h, w));
    double& sum = dx(n, c, i / width, i % width);
    sum = (wrong ? 0 : sum) + dy(n, c, h, w);
  });
}
}  // namespace autodidact::ops::reference
