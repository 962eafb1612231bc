// ops/reference/average_pool.hpp: the equations of ops/average_pool.hpp. A flattened y has the same numbers in the same order.
#pragma once
#include <algorithm>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/pool_window.hpp"
#include "ops/reference/pixels.hpp"

namespace autodidact::ops::reference {
using engine::View;

// f(h, w) for the pixels of window (oh, ow) that lie inside a plane of x.
template <class F>
void for_each_pixel_of_window(const PoolWindow& window, const engine::Shape& x, std::int64_t oh,
                              std::int64_t ow, F&& f) {
  for (std::int64_t r = 0; r < window.size; ++r)
    for (std::int64_t s = 0; s < window.size; ++s) {
      const std::int64_t h = oh * window.stride - window.pad + r;
      const std::int64_t w = ow * window.stride - window.pad + s;
      if (h >= 0 && h < x[2] && w >= 0 && w < x[3]) f(h, w);
    }
}

// `pooled`: (N,C,H',W'), the shape of y before it is flattened.
inline void average_pool_forward(const PoolWindow& window, const engine::Shape& pooled,
                                 const View& x, const View& y) {
  const bool wrong = engine::mutated("average_pool.reference.y");  // divides by one side
  const auto size = static_cast<double>(window.size);
  const View means{y.data, pooled};
  for_each_pixel(pooled, [&](auto n, auto c, auto oh, auto ow) {
    double sum = 0;
    for_each_pixel_of_window(window, x.shape, oh, ow,
                             [&](auto h, auto w) { sum += x(n, c, h, w); });
    means(n, c, oh, ow) = sum / (wrong ? size : size * size);
  });
}

inline void average_pool_backward(const PoolWindow& window, const engine::Shape& pooled,
                                  const View& dy, const View& dx) {
  const bool wrong = engine::mutated("average_pool.reference.dx");  // overwrites, does not add
  const auto size = static_cast<double>(window.size);
  const View d_means{dy.data, pooled};
  std::fill(dx.data, dx.data + dx.count(), 0.0);
  for_each_pixel(pooled, [&](auto n, auto c, auto oh, auto ow) {
    const double share = d_means(n, c, oh, ow) / (size * size);
    for_each_pixel_of_window(window, dx.shape, oh, ow, [&](auto h, auto w) {
      dx(n, c, h, w) = (wrong ? 0 : dx(n, c, h, w)) + share;
    });
  });
}
}  // namespace autodidact::ops::reference
