// optim/lars.hpp: layer-wise adaptive rate scaling: momentum whose step in each layer is a part of that layer's size.
//
// Source    You, Gitman & Ginsburg 2017, "Large Batch Training of Convolutional Networks", arXiv:1708.03888, Algorithm 1.
// Symbols   w one parameter tensor, g its gradient, v its momentum (starts at 0), γ learning rate, μ momentum factor, δ weight decay,
//           η trust coefficient, λ the tensor's own rate; ‖·‖ Euclidean norm of the tensor
//
//   λ ← η·‖w‖ / (‖g‖ + δ·‖w‖)          1 where ‖w‖ or the denominator is 0, and for tensors of rank 1
//   v ← μ·v + γ·λ·(g + δ·w)
//   w ← w − v
//
// So a first step is at most γ·η of ‖w‖ long (exactly so without decay), whatever the scale of the gradient. γ stands inside the momentum, as in the paper: a change of
// it acts on new gradients only (in sgd.hpp on the whole memory at once).
// Tensors of rank 1, which are biases and the γ and β of batch norms, take λ = 1: they start at 0 or 1, where a step in proportion to
// their size means nothing, and programs that train at large batches leave them out for that reason.
// The norms are sums in f64 of chunks in the order of the layout: the same bits for any number of threads.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "optim/parameter_chunks.hpp"
#include "optim/update_rule.hpp"

namespace autodidact::optim {

struct LarsOptions {
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double trust_coefficient = 1e-3;
  bool decay_batch_norm = true;  // false: as in SgdOptions
};

// Throws std::invalid_argument if a number is negative or not finite, or the trust coefficient 0.
void check(const LarsOptions& options);

class Lars final : public UpdateRule {
 public:
  // As Sgd's.
  Lars(const LarsOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients);
  // Two sweeps: one for the norms, one over values, gradients and momentum.
  void step(engine::Lane& lane, engine::ParameterStore& store, const UpdateStep& step) override;

 private:
  struct Squares {
    double w = 0, g = 0;
  };
  template <class T>
  void sweep(engine::Lane& lane, engine::ParameterStore& store, const UpdateStep& step);
  double own_rate(const Squares& squares, bool decay, double gradient_scale) const;

  LarsOptions options_;
  std::vector<Chunk> chunks_;
  std::vector<Squares> chunk_squares_, slot_squares_;  // one a chunk; one a parameter of the layout
  std::vector<bool> adapted_;                          // of a parameter: its rank is not 1
};
}  // namespace autodidact::optim
