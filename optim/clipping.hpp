// optim/clipping.hpp: a bound on how long the gradient of a step may be.
//
// Source    Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, Algorithm 1, as torch.nn.utils.clip_grad_norm_ computes it.
//
//   g ← g·min(1, C/(‖g‖ + 1e-6))        ‖g‖ over all gradients together (optim/gradient_norm.hpp)
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace autodidact::optim {

// The factor of every gradient; 1 if `most` is 0, which is no bound.
inline double clip_scale(double norm, double most) {
  constexpr double kTiny = 1e-6;
  return most > 0 ? std::min(1.0, most / (norm + kTiny)) : 1;
}

// Throws std::invalid_argument unless it is 0 or a bound.
inline void check_clip_norm(double most) {
  if (!(most >= 0) || !std::isfinite(most))
    throw std::invalid_argument(fmt::format("the longest gradient must be a finite number that is not negative, got {}", most));
}
}  // namespace autodidact::optim
