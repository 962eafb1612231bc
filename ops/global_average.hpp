// ops/global_average.hpp: the mean of each plane, as one number a channel.
//
// Source    Lin, Chen & Yan 2013, arXiv:1312.4400 §3.2.
// Symbols   x, dx : (N,C,H,W)     y, dy : (N,C)
//
// Forward   y = Σ_hw x / (H·W)
// Backward  dx = dy / (H·W), the same for every pixel
//
// Keeps nothing. Writes with "=". Requires H, W ≥ 1.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class GlobalAverage final : public engine::Op {
 public:
  std::string_view kind() const override { return "global_average"; }
  std::string describe() const override { return "global_average"; }
  std::vector<engine::Port> inputs() const override { return {{"x"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
