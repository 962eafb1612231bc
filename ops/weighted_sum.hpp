// ops/weighted_sum.hpp: several losses become one.
//
// Source    L = Σ cᵢ·ℓᵢ; the weights of self-distillation: Zhang et al. 2019, arXiv:1905.08094, equation 7.
// Symbols   ℓ₁ … ℓ_k, L : () losses       c₁ … c_k : () their weights, known before the step
//
// Forward   L = Σᵢ cᵢ·ℓᵢ         in f64, from first to last
// Backward  dℓᵢ = cᵢ·dL
//
// Inputs: the k losses, then the k weights, which have no gradient. They are inputs and not attributes, so that a
// schedule may change them without compiling again. Keeps nothing. Writes with "=".
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class WeightedSum final : public engine::Op {
 public:
  // terms ≥ 1, else std::invalid_argument.
  explicit WeightedSum(int terms);
  const int terms;

  std::string_view kind() const override { return "weighted_sum"; }
  std::string describe() const override;
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  engine::Role output_role(int) const override { return engine::Role::scalar; }
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
