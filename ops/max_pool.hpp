// ops/max_pool.hpp: the largest number in each window.
//
// Source    PyTorch's max_pool2d (floor mode, dilation 1).
// Symbols   x, dx : (N,C,H,W)     y, dy : (N,C,H',W')     H' = ⌊(H + 2·pad − window)/stride⌋ + 1
//           W(o) : the pixels of window o that lie inside x; padding is never the largest.
//
// Forward   m(o) = arg max over W(o) of x, the first in reading order among equals     y[o] = x[m(o)]
// Backward  dx[i] = Σ dy[o] over the windows o whose m(o) = i
//
// Keeps m: in the fast path a byte an output, the place r·window + s in its window. A NaN is the largest, so that it is seen
// downstream. Has kinks where two numbers of a window are equal. Writes with "=".
// Requires 1 ≤ window ≤ 16, stride ≥ 1, 0 ≤ pad ≤ window/2.
#pragma once
#include "engine/op.hpp"
#include "ops/pool_window.hpp"

namespace autodidact::ops {

class MaxPool final : public engine::Op {
 public:
  // In pixels. Throws std::invalid_argument if a number is out of the range above.
  MaxPool(std::int64_t window, std::int64_t stride, std::int64_t pad = 0);

  std::string_view kind() const override { return "max_pool"; }
  std::string describe() const override;  // "max_pool window 3 stride 2 pad 1"
  std::vector<engine::Port> inputs() const override { return {{"x"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  std::vector<engine::Shape> reference_keeps(std::span<const engine::Shape> inputs) const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;

  const PoolWindow window;
};
}  // namespace autodidact::ops
