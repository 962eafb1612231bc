// ops/collective_sum.hpp: one number, summed over all ranks.
//
// Source    The un-squared norm of a batch is not separable over samples (docs/math.md): its root must see the sum of
//           squares of the whole batch, wherever its samples are.
// Symbols   s, ds : () this rank's part       S, dS : () the sum, the same number on every rank
//
// Forward   S = Σ_ranks s       in f64; S = s when there is one rank
// Backward  ds = dS
//
// Why the adjoint is the identity and not a sum: the loss behind S is the same number on every rank and is counted once,
// so dL/dS is already whole on each of them. Keeps nothing. Writes with "=".
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class CollectiveSum final : public engine::Op {
 public:
  std::string_view kind() const override { return "collective_sum"; }
  std::string describe() const override { return "collective_sum"; }
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  engine::Role output_role(int) const override { return engine::Role::scalar; }
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
