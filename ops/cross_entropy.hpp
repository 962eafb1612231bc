// ops/cross_entropy.hpp: how far the softmax of the logits is from the labels; two labels a sample, and smoothing.
//
// Source    Label smoothing: Szegedy et al. 2016, arXiv:1512.00567 §7, weighted as PyTorch's CrossEntropyLoss does. Two
//           labels: mixup, Zhang et al. 2018, arXiv:1710.09412; CutMix, Yun et al. 2019, arXiv:1905.04899.
// Symbols   z, dz : (N,Q) logits            y1, y2 : (N) class indices      m : weight of y1, 1 = only y1
//           s : smoothing, 0…1              b = 1/N_total (inv_batch)       L : (), in nats
//           p = softmax(z) by rows; t = (1−s)·(m·onehot(y1) + (1−m)·onehot(y2)) + s/Q, which sums to 1.
//
// Forward   L = −b · Σ_n Σ_q t_q · log p_q
// Backward  dz = dL · b · (p − t)           each row sums to 0; labels and the three scalars have no gradient
//
// Keeps nothing: backward reads z again. Writes with "=". b is an input, not 1/N, because accumulation, ranks and the
// short batch at the end of an epoch make the batch whose mean is taken another than this program's N.
// Requires  0 ≤ y < Q. A kernel does not throw, so data/ checks the labels that it hands out. Without a second label y2 = y1.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class CrossEntropy final : public engine::Op {
 public:
  enum Input : int { kZ, kY1, kY2, kMix, kSmoothing, kInvBatch };

  std::string_view kind() const override { return "cross_entropy"; }
  std::string describe() const override { return "cross_entropy"; }
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  engine::Role output_role(int) const override { return engine::Role::scalar; }
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
