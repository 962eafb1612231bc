// ops/reference/weighted_sum.hpp: the formulas of ops/weighted_sum.hpp, in f64. Inputs: k losses, then k weights.
#pragma once
#include <span>

#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {

// L = Σᵢ cᵢ·ℓᵢ
inline void weighted_sum_forward(std::span<const engine::View> losses,
                                 std::span<const engine::View> weights, const engine::View& total) {
  const bool wrong = engine::mutated("weighted_sum.reference.L");  // forgets the weights
  total() = 0;
  for (std::size_t i = 0; i < losses.size(); ++i)
    total() += (wrong ? 1.0 : weights[i]()) * losses[i]();
}

// dℓᵢ = cᵢ·dL
inline void weighted_sum_backward(std::span<const engine::View> weights, const engine::View& dtotal,
                                  std::span<const engine::View> dlosses) {
  const bool wrong = engine::mutated("weighted_sum.reference.dl");  // the first weight for all
  for (std::size_t i = 0; i < dlosses.size(); ++i)
    if (dlosses[i]) dlosses[i]() = weights[wrong ? 0 : i]() * dtotal();
}
}  // namespace autodidact::ops::reference
