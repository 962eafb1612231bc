// ops/squared_distance.hpp: the squared Euclidean distance between a student's features and its teacher's.
//
// Source    FitNets, Romero et al. 2015, arXiv:1412.6550 §2.2; between exits of one network: Zhang et al. 2019,
//           arXiv:1905.08094, equation 6.
// Symbols   a, da, b : (N,F) student's features, their gradient, teacher's features       s : (), in units of a²
//
// Forward   s = Σ (a−b)²       over the whole batch, not averaged
// Backward  da = 2·ds·(a−b)
//
// Keeps nothing: backward reads a and b again. Writes with "=". b is detached. The Euclidean norm of the whole batch is
// this op, then CollectiveSum, then Root; the sum of squares is this op alone.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class SquaredDistance final : public engine::Op {
 public:
  enum Input : int { kA, kTeacher };

  std::string_view kind() const override { return "squared_distance"; }
  std::string describe() const override { return "squared_distance"; }
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  engine::Role output_role(int) const override { return engine::Role::scalar; }
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
