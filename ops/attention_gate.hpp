// ops/attention_gate.hpp: let a coarse map decide how much of each number passes.
//
// Source    The attention module of self-distillation (arXiv:1905.08094), y = x·σ(up(a)), which is three ops there. Fused,
//           because up(a) and σ(up(a)) are as large as x: made, kept and read again they cost more than the gate itself.
// Symbols   x, y, dx, dy : (N,C,H,W)     a, da : (N,C,h,w), usually a quarter of the pixels
//           up, upᵀ : bilinear to (H,W) and its adjoint, ops/upsample.hpp     g : (N,C,H,W), in (0, 1), never in memory
//
// Forward   g = σ(up(a))     y = x·g
// Backward  dx = dy·g        da = upᵀ(dy·x·g·(1 − g))
//
// Keeps nothing of its own: backward reads x and a, and computes g again. One sweep each way. Sums in da are made within
// one thread in fixed order: threads share out whole planes. Writes with "=". A padded channel holds x = 0, so g = ½ does
// no harm there. Requires equal N and C.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class AttentionGate final : public engine::Op {
 public:
  std::string_view kind() const override { return "attention_gate"; }
  std::string describe() const override { return "attention_gate"; }
  std::vector<engine::Port> inputs() const override { return {{"x"}, {"a"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};

// multiply(x, sigmoid(upsample(a))), the factors in either order, where nobody else uses what lies between.
class AttentionGateRule final : public engine::FusionRule {
 public:
  std::optional<engine::Rewrite> match(const engine::Graph& graph, engine::NodeId root,
                                       engine::Mode mode) const override;
};
}  // namespace autodidact::ops
