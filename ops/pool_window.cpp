#include "ops/pool_window.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "engine/op.hpp"

namespace autodidact::ops {

void PoolWindow::check(std::string_view kind) const {
  if (size < 1 || stride < 1)
    throw std::invalid_argument(fmt::format(
        "[{}] window and stride must be at least 1, got {} and {}", kind, size, stride));
  if (pad < 0 || pad > size / 2)
    throw std::invalid_argument(fmt::format(
        "[{}] pad must be 0 to {}, half the window of {}, got {}", kind, size / 2, size, pad));
}

engine::Shape PoolWindow::infer(std::string_view kind, std::string_view node,
                                const engine::Shape& x) const {
  engine::require(x.rank() == 4, kind, node, "x must be (N,C,H,W), got " + x.text());
  engine::require(
      x[2] + 2 * pad >= size && x[3] + 2 * pad >= size, kind, node,
      fmt::format("a window of {} does not fit into x {} padded by {}", size, x.text(), pad));
  return {x[0], x[1], outputs(x[2]), outputs(x[3])};
}

PoolPlanes::PoolPlanes(const PoolWindow& pool, const engine::TensorType& x)
    : window(pool),
      planes(x.shape[0] * x.channel_blocks()),
      channel_blocks(x.channel_blocks()),
      block(x.format.block),
      channels(x.shape[1]),
      in_height(x.shape[2]),
      in_width(x.shape[3]),
      out_height(pool.outputs(in_height)),
      out_width(pool.outputs(in_width)) {}
}  // namespace autodidact::ops
