// optim/adamw.hpp: Adam with decoupled weight decay, exactly as torch.optim.AdamW defines it.
//
// Source    Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101, Algorithm 2; the moments are those of
//           Kingma & Ba 2015, arXiv:1412.6980. The decay is multiplied by the learning rate, as PyTorch has it.
// Symbols   w parameter, g gradient, m, s first and second moment (start at 0), η learning rate, β₁, β₂ their memories, δ weight decay,
//           t step of the run, from 1
//
//   w ← w − η·δ·w                       decoupled: no part of the moments
//   m ← β₁·m + (1−β₁)·g
//   s ← β₂·s + (1−β₂)·g²
//   w ← w − η·(m/(1−β₁ᵗ)) / (√(s/(1−β₂ᵗ)) + ε)
//
// The divisors make up for moments that start at 0. t is the only state outside the store; a run that goes on has it (its steps).
// m lies in the store's momentum, s in its second moments.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "optim/parameter_chunks.hpp"
#include "optim/update_rule.hpp"

namespace autodidact::optim {

struct AdamwOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool decay_batch_norm = true;  // false: as in SgdOptions
};

// Throws std::invalid_argument unless β₁ and β₂ are in [0,1), ε above 0 and the weight decay not negative, both finite.
void check(const AdamwOptions& options);

class Adamw final : public UpdateRule {
 public:
  // As Sgd's.
  Adamw(const AdamwOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients);
  void prepare(engine::ParameterStore& store) const override { store.add(engine::Section::second_moments); }
  // One sweep over values, gradients and both moments. The store must be prepared.
  void step(engine::Lane& lane, engine::ParameterStore& store, const UpdateStep& step) override;

 private:
  AdamwOptions options_;
  std::vector<Chunk> chunks_;
};
}  // namespace autodidact::optim
