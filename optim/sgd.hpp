// optim/sgd.hpp: stochastic gradient descent with momentum, exactly as torch.optim.SGD defines it.
//
// Source    Polyak 1964; Nesterov's form and the place of the learning rate as in Sutskever et al. 2013, "On the importance
//           of initialization and momentum in deep learning", in the variant of PyTorch's documentation of SGD.
// Symbols   w parameter, g gradient, v momentum (starts at 0), η learning rate, μ momentum factor, δ weight decay
//
//   g ← g + δ·w                 coupled: decay is part of the gradient, and so of the momentum
//   v ← μ·v + g                 the first step has v = g, as PyTorch's buffer that starts as the first gradient
//   w ← w − η·(g + μ·v)         Nesterov
//   w ← w − η·v                 otherwise; with μ = 0 v is g, and the store's momentum is left alone
//
// Dampening is 0. η multiplies v, not g, so a change of η acts on the whole memory at once.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "optim/parameter_chunks.hpp"
#include "optim/update_rule.hpp"

namespace autodidact::optim {

struct SgdOptions {
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool nesterov = false;
  // false: no decay for the γ and β of batch norms ("layer1.0.bn1.weight", "layer1.0.bn1.bias"). Biases of linear layers
  // ("fc4.bias") decay all the same.
  bool decay_batch_norm = true;
};

// Throws std::invalid_argument if a number is negative or not finite, or if Nesterov has no momentum.
void check(const SgdOptions& options);

class Sgd final : public UpdateRule {
 public:
  // `gradients`: Program::gradients(). Throws as check() does, and std::invalid_argument if the layout lacks a name.
  Sgd(const SgdOptions& options, const engine::ParameterLayout& layout,
      std::span<const std::string> gradients);

  // One sweep over values, gradients and momentum.
  void step(engine::Lane& lane, engine::ParameterStore& store, const UpdateStep& step) override;

 private:
  SgdOptions options_;
  std::vector<Chunk> chunks_;
};
}  // namespace autodidact::optim
