// ops/soft_cross_entropy.hpp: how far a student's softened softmax is from its teacher's.
//
// Source    Hinton, Vinyals, Dean 2015, arXiv:1503.02531 §2; between exits of one network: Zhang et al. 2019,
//           arXiv:1905.08094, equation 5.
// Symbols   z, dz : (N,Q) student logits    t : (N,Q) teacher logits        T : temperature > 0
//           b = 1/N_total (inv_batch)       S : (), in nats                 p = softmax(z/T), r = softmax(t/T), by rows
//
// Forward   S = −b · Σ_n Σ_q r_q · log p_q
// Backward  dz = dS · b/T · (p − r)         each row sums to 0, and all is 0 where z = t
//
// Keeps nothing: backward reads z and t again. Writes with "=".
// t is detached: the teacher learns from the labels alone, so backward is not the derivative of the printed loss with
// respect to every weight that t depends on. T² (which keeps dz the same size for every T) is not in here: whether a
// recipe multiplies by it is a matter of the term's weight. b is an input for the reason in ops/cross_entropy.hpp.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class SoftCrossEntropy final : public engine::Op {
 public:
  enum Input : int { kZ, kTeacher, kTemperature, kInvBatch };

  std::string_view kind() const override { return "soft_cross_entropy"; }
  std::string describe() const override { return "soft_cross_entropy"; }
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  engine::Role output_role(int) const override { return engine::Role::scalar; }
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
