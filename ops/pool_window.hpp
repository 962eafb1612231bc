// ops/pool_window.hpp: a square window that slides over planes; what max_pool and average_pool have in common.
//
// Output o of one axis sees the inputs o·stride − pad + r, 0 ≤ r < size, as far as they lie inside; an axis of H inputs gives
// H' = ⌊(H + 2·pad − size)/stride⌋ + 1 outputs. A tap is one place (r, s) in the window. The kernels sweep tap by tap over
// a row of outputs: that way the innermost loop is long and has no condition, whatever the channel block.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "engine/shape.hpp"

namespace autodidact::ops {

struct PoolWindow {
  std::int64_t size, stride, pad;

  // Throws std::invalid_argument, naming `kind`, unless size, stride ≥ 1 and 0 ≤ pad ≤ size/2 (so that no window lies
  // wholly in the padding).
  void check(std::string_view kind) const;
  std::int64_t outputs(std::int64_t inputs) const { return (inputs + 2 * pad - size) / stride + 1; }
  // (N,C,H,W) → (N,C,H',W'). Throws, naming the node, if x has another rank or the window does not fit.
  engine::Shape infer(std::string_view kind, std::string_view node, const engine::Shape& x) const;
};

// A PoolWindow over a tensor x (N,C,H,W) in channel blocks of b.
struct PoolPlanes {
  PoolPlanes(const PoolWindow& pool, const engine::TensorType& x);
  std::int64_t in_plane() const { return in_height * in_width * block; }
  std::int64_t out_row() const { return out_width * block; }
  std::int64_t out_plane() const { return out_height * out_row(); }

  // For every tap that lands inside x for some output of row oh: f(r, s, in, begin, end). Outputs begin ≤ o < end of the row
  // see x at in + o·stride·b, counted in numbers of the plane.
  template <class F>
  void for_each_tap(std::int64_t oh, F&& f) const {
    for (std::int64_t r = 0; r < window.size; ++r) {
      const std::int64_t ih = oh * window.stride - window.pad + r;
      if (ih < 0 || ih >= in_height) continue;
      for (std::int64_t s = 0; s < window.size; ++s) {
        const std::int64_t shift = s - window.pad;
        const std::int64_t begin = shift < 0 ? (window.stride - 1 - shift) / window.stride : 0;
        const std::int64_t beyond = std::max<std::int64_t>(0, in_width - shift + window.stride - 1);
        const std::int64_t end = std::min(out_width, beyond / window.stride);
        if (begin < end) f(r, s, (ih * in_width + shift) * block, begin, end);
      }
    }
  }

  PoolWindow window;
  std::int64_t planes, channel_blocks, block, channels;  // planes = N·channel_blocks
  std::int64_t in_height, in_width, out_height, out_width;
};
}  // namespace autodidact::ops
