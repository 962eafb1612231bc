// ops/average_pool.hpp: the mean of each window.
//
// Source    PyTorch's avg_pool2d (floor mode, count_include_pad=True).
// Symbols   x, dx : (N,C,H,W)     y, dy : (N,C,H',W')     H' = ⌊(H + 2·pad − window)/stride⌋ + 1
//           W(o) : the pixels of window o that lie inside x     K = window²
//
// Forward   y[o] = Σ x[i] / K over i in W(o)          padding counts as zeros
// Backward  dx[i] = Σ dy[o] / K over the windows o that contain i
//
// With `flatten` y is (N, C·H'·W'), channel after channel: what a linear layer takes. Where window = H = W that is
// ops/global_average.hpp. Keeps nothing. Writes with "=". Requires window, stride ≥ 1, 0 ≤ pad ≤ window/2.
#pragma once
#include "engine/op.hpp"
#include "ops/pool_window.hpp"

namespace autodidact::ops {

class AveragePool final : public engine::Op {
 public:
  // In pixels. Throws std::invalid_argument if a number is out of the range above.
  AveragePool(std::int64_t window, std::int64_t stride, std::int64_t pad = 0, bool flatten = false);

  std::string_view kind() const override { return "average_pool"; }
  std::string describe() const override;  // "average_pool window 4 stride 4 pad 0 flatten"
  std::vector<engine::Port> inputs() const override { return {{"x"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;

  const PoolWindow window;
  const bool flatten;
};
}  // namespace autodidact::ops
