// ops/multiply.hpp: the product of two tensors, number by number.
//
// Symbols   x, g, y and their gradients : one and the same shape, any rank
//
// Forward   y = x·g
// Backward  dx = dy·g      dg = dy·x
//
// Keeps x and g. Writes with "=". Requires equal shapes: nothing is broadcast. Where g = σ(up(a)), ops/attention_gate.hpp does
// all three in one sweep.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class Multiply final : public engine::Op {
 public:
  std::string_view kind() const override { return "multiply"; }
  std::string describe() const override { return "multiply"; }
  std::vector<engine::Port> inputs() const override { return {{"x"}, {"g"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
