// ops/sigmoid.hpp: squeeze every number into (0, 1).
//
// Symbols   x, y, dx, dy : any shape
//
// Forward   y = σ(x) = 1/(1 + e^−x)
// Backward  dx = dy·y·(1 − y)
//
// Keeps y: the derivative is a function of the output alone, so x may be overwritten. Writes with "=". Because σ(0) = ½, the
// padded channels of a blocked tensor are set to zero after it.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class Sigmoid final : public engine::Op {
 public:
  std::string_view kind() const override { return "sigmoid"; }
  std::string describe() const override { return "sigmoid"; }
  std::vector<engine::Port> inputs() const override { return {{"x"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
