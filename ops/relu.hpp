// ops/relu.hpp: what is negative becomes 0.
//
// Symbols   x, y, dx, dy : one and the same shape, any rank
//
// Forward   y = max(0, x)
// Backward  dx = dy where y > 0, else 0: the derivative at the kink is taken to be 0
//
// Keeps     nothing: y > 0 says where the ReLU was open, and y is alive anyway as the input of whoever follows. NaN passes
//           forward, so that a broken step is noticed. Writes with "=". Padded channels stay 0.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class Relu final : public engine::Op {
 public:
  std::string_view kind() const override { return "relu"; }
  std::string describe() const override { return "relu"; }
  std::vector<engine::Port> inputs() const override { return {{"x"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  std::vector<engine::Shape> reference_keeps(std::span<const engine::Shape> inputs) const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
