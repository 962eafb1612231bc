// ops/reference/convolution.hpp: convolution by its definition (ops/convolution.hpp), in f64.
//
// y, dx and dw are sums over the same triples (output pixel, tap of the kernel, input pixel): for_each_product walks
// them, and each pass says which of the three collects. Where the window hangs over the edge, x is zero: no product.
#pragma once
#include <algorithm>

#include "engine/mutation.hpp"
#include "engine/op.hpp"
#include "ops/convolution.hpp"

namespace autodidact::ops::reference {
using engine::View;

template <class Product>
void for_each_product(const ConvolutionGeometry& g, const View& x, const View& w, const View& y,
                      const Product& product) {
  const std::int64_t height = x.shape[2], width = x.shape[3], k_per_group = y.shape[1] / g.groups;
  for (std::int64_t n = 0; n < y.shape[0]; ++n)
    for (std::int64_t k = 0; k < y.shape[1]; ++k)
      for (std::int64_t i = 0; i < w.shape[1]; ++i)
        for (std::int64_t r = 0; r < w.shape[2]; ++r)
          for (std::int64_t q = 0; q < w.shape[3]; ++q) {
            const std::int64_t c = k / k_per_group * w.shape[1] + i;
            // Columns [begin, end) of the output read inside x: 0 ≤ v·s + shift < W.
            const std::int64_t shift = q * g.dilation_w - g.pad_w, s = g.stride_w;
            const std::int64_t begin = shift < 0 ? (-shift + s - 1) / s : 0;
            const std::int64_t end =
                shift < width ? std::min(y.shape[3], (width - 1 - shift) / s + 1) : 0;
            for (std::int64_t h = 0; h < y.shape[2] && begin < end; ++h) {
              const std::int64_t a = h * g.stride_h + r * g.dilation_h - g.pad_h;
              if (a < 0 || a >= height) continue;
              double *y_row = &y(n, k, h, 0), *x_row = &x(n, c, a, 0) + shift;
              for (std::int64_t v = begin; v < end; ++v)
                product(y_row[v], w(k, i, r, q), x_row[v * s]);
            }
          }
}

inline void convolution_y(ConvolutionGeometry g, const View& x, const View& w, const View& y) {
  if (engine::mutated("convolution.reference.y")) g.dilation_w += 1;
  std::fill_n(y.data, y.count(), 0.0);
  for_each_product(g, x, w, y, [](double& to, double tap, double from) { to += tap * from; });
}

inline void convolution_dx(ConvolutionGeometry g, const View& dy, const View& w, const View& dx) {
  if (engine::mutated("convolution.reference.dx")) g.pad_h += 1;
  std::fill_n(dx.data, dx.count(), 0.0);
  for_each_product(g, dx, w, dy, [](double from, double tap, double& to) { to += tap * from; });
}

inline void convolution_dw(ConvolutionGeometry g, const View& x, const View& dy, const View& dw) {
  if (engine::mutated("convolution.reference.dw")) g.pad_w += 1;
  std::fill_n(dw.data, dw.count(), 0.0);
  for_each_product(g, x, dw, dy, [](double dy_at, double& to, double x_at) { to += dy_at * x_at; });
}
}  // namespace autodidact::ops::reference
