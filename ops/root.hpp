// ops/root.hpp: the square root of one number: from a sum of squares to a Euclidean norm.
//
// Source    The feature term of arXiv:1905.08094 as published programs compute it: ‖a−b‖ of the whole batch, not squared.
// Symbols   S, dS : () sum of squares ≥ 0       d, dd : () norm
//
// Forward   d = √S
// Backward  dS = dd / (2·√S), and 0 at S = 0, where √ has no derivative: with dS/da = 2(a−b), da = dd·(a−b)/‖a−b‖
//
// Keeps nothing: backward reads S again. Writes with "=". A kink only at S = 0. It stands apart from SquaredDistance
// because √ must see the sum over all ranks and micro-batches.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class Root final : public engine::Op {
 public:
  std::string_view kind() const override { return "root"; }
  std::string describe() const override { return "root"; }
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  engine::Role output_role(int) const override { return engine::Role::scalar; }
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
