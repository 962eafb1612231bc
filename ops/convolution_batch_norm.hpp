// ops/convolution_batch_norm.hpp: in inference, the batch norm behind a convolution is part of its weights.
//
// Source    Jacob et al. 2018, arXiv:1712.05877, §3.2 ("batch normalization folding"); the equations are those of
//           ops/convolution.hpp and ops/batch_norm.hpp, put into one another.
// Symbols   x : (N,C,H,W)     w, w' : (K,C/G,R,S)     γ, β, running μ̄, σ̄², shift b : (K)     y, z : (N,K,H',W')
//           r = 1/√(σ̄² + ε), per output channel k.
//
// Why       With the running statistics batch norm is affine in each channel, and convolution is linear:
//               γ·(conv(x, w) − μ̄)·r + β  =  conv(x, w·γ·r) + (β − μ̄·γ·r)
//           so the numbers of one sweep over the picture are known before any picture comes.
// Fold      w'[k,…] = w[k,…]·γ[k]·r[k]          b[k] = β[k] − μ̄[k]·γ[k]·r[k]          when the parameter store has changed
// Forward   y = conv(x, w') + b
// Tail      relu   y = max(0, conv(x, w') + b)     add_relu   y = max(0, conv(x, w') + b + z)
// Backward  none: in training μ and σ² are functions of x, and nothing can be folded. Programs with gradients keep the two ops.
//
// Fast      oneDNN's convolutions with a bias and what follows it applied to each tile while it is in registers: every method of
//           ops/convolution_methods.hpp. w' and b are f32, computed in f64. The library adds z from where y will lie: y takes over
//           z's memory where z is read for the last time, else z is copied there first.
// Rounding  w' is rounded once more than w: 6e-8 relative, as much as any product of the sum.
// NaN       The library's ReLU makes 0 of it, where relu and batch_norm_relu keep it: a sum of +∞ and −∞ goes unseen here.
//           +∞ is kept.
// Requires  as convolution and batch_norm; any N.
#pragma once
#include <string>
#include <vector>

#include "engine/op.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution.hpp"

namespace autodidact::ops {

class ConvolutionBatchNorm final : public engine::Op {
 public:
  enum Input { kX, kW, kGamma, kBeta, kRunningMean, kRunningVar, kZ };

  // Throws as Convolution does for a bad geometry.
  explicit ConvolutionBatchNorm(ConvolutionGeometry geometry, double with_epsilon = 1e-5, Tail behind = Tail::none)
      : convolution(geometry), epsilon(with_epsilon), tail(behind) {}
  const Convolution convolution;
  const double epsilon;
  const Tail tail;

  // convolution_batch_norm, convolution_batch_norm_relu, convolution_batch_norm_add_relu
  std::string_view kind() const override;
  std::string describe() const override;
  // x, w, gamma, beta, running_mean, running_var; z with Tail::add_relu
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override { return {}; }
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  bool needs_every_format() const override { return true; }
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;
};
}  // namespace autodidact::ops
