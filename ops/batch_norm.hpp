// ops/batch_norm.hpp: give each channel mean 0 and variance 1, then a learned scale and shift.
//
// Source    Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1 and the gradients in §3.
// Symbols   x, y, z, dx, dy, dz : (N,C,H,W)      γ, β, μ, σ² and running μ̄, σ̄² : (C)
//           M = N·H·W samples per channel; Σ runs over n,h,w at fixed c. x̂ has no unit; ε has the unit of x².
//
// Forward   training   μ = Σx / M     σ² = Σ(x−μ)² / M     r = 1/√(σ²+ε)     x̂ = (x−μ)·r     y = γ·x̂ + β
//           inference  the same with μ̄, σ̄² in place of μ, σ²
// Tail      relu       y = max(0, γ·x̂ + β)                 add_relu   y = max(0, γ·x̂ + β + z)
// Backward  dy' = dy where y > 0, else 0 (without a tail: dy)
//           dβ = Σdy'        dγ = Σ dy'·x̂        dz = dy'
//           training   dx = γ·r·(dy' − dβ/M − x̂·dγ/M)
//           inference  dx = γ·r·dy'               μ̄ and σ̄² do not depend on x
// Running   μ̄ ← (1−η)·μ̄ + η·μ      σ̄² ← (1−η)·σ̄² + η·σ²·M/(M−1)      in training, staged: the commit pass
//
// Keeps     μ, r and σ²·M/(M−1), all (C); x̂ is computed again from x. Where the ReLU was open: without z, y > 0 is decided
//           again from x, by the same expression and so with the same rounding; with z, y itself is read, which is
//           alive anyway as the input of the next layer. Writes with "=".
// Ranks     Sums and M are added over all ranks, forward (Σx, Σx²) and backward (Σdy', Σdy'·x̂, for dx); dγ and dβ stay
//           local, because gradients of parameters cross ranks later, as sums.
// Requires  M ≥ 2 in training: the variance of one number says nothing. Inference takes any M.
//
// Sweeps over memory: 2 reads and 1 write forward; 4 reads and 1 write backward, z included 5 and 2 (for one dy; where y has
// several consumers their gradients are added on the way). The kernels: ops/batch_norm_kernels.hpp.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  // η: the weight of the new statistics
};

// What is fused behind the normalisation; each is a kind of its own.
enum class Tail : std::uint8_t { none, relu, add_relu };

class BatchNorm final : public engine::Op {
 public:
  enum Input { kX, kGamma, kBeta, kRunningMean, kRunningVar, kZ };

  explicit BatchNorm(BatchNormOptions with = {}, Tail behind = Tail::none)
      : options(with), tail(behind) {}
  const BatchNormOptions options;
  const Tail tail;

  // batch_norm, batch_norm_relu, batch_norm_add_relu
  std::string_view kind() const override;
  std::string describe() const override;
  // x, gamma, beta, running_mean, running_var; z with Tail::add_relu
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  bool updates_state() const override { return true; }
  std::vector<engine::Shape> reference_keeps(std::span<const engine::Shape> inputs) const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  // Throws std::invalid_argument for training with M < 2.
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
