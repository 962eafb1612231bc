// train/step_check.hpp: does a compiled step compute the gradients that it should? Whole, as it is run: chosen, fused, in lanes,
// with memory reused and Winograd where it was chosen.
//
// Small problems are held against the textbook in f64 (engine::Backend::reference), at most kTextbookProducts of them forward:
// some ten seconds. Larger ones against a program of the same library without any of that: direct algorithms, nothing fused,
// recomputed or reused, every task wide and in list order, which the tests hold against the textbook on small problems. It
// needs several times the memory of a step.
#pragma once
#include <map>
#include <string>

#include "train/trainer.hpp"

namespace autodidact::train {

// Products of weights and pixels in the forward convolutions of a step.
inline constexpr double kTextbookProducts = 4e9;

// ‖ours − theirs‖₂ / ‖theirs‖₂ of one tensor. Sums that are rounded otherwise differ by 1e-5; but a number near zero may come to
// lie on the other side of a ReLU, and then its whole gradient is there or not: 1/√n of a tensor that n numbers make, 2e-2 for
// the 2048 of four images at the end of a branch. Of numbers near 1, 1e-7 change sides with direct algorithms, next to none in a
// step, and 1e-5 with Winograd, several in each layer: ResNet-18 then shows up to 3e-2 with 4 images and 1e-2 with 32. What is
// computed wrongly differs by more than either.
inline constexpr double kDirectStepTolerance = 3e-2, kWinogradStepTolerance = 1e-1;

// In bf16 each number of a plane is rounded by up to 2^-8: logits of ResNet-18 are then off by 2e-2, and of the inputs of each ReLU a few in
// a thousand take the other side. In fresh weights on random images that adds up to a difference of 0.3 in the whole gradient, and of
// 0.55 at most in one tensor's, with 4 images as with 32. Gradients that have nothing in common differ by 1.4, those of a wrong sign
// by 2. (Where a batch norm sees fewer than 16 numbers a channel, as in 4 images of 8 pixels, its statistics are so uncertain that
// bf16 shows up to 1.4, and nothing can be checked.) So this check tells a wrong gradient from a right one, and no more: the accuracy of each op is proven by the tests of the ops.
// There, a gradient smaller than kBf16Floor of all together is taken to be as large as that: behind some ReLUs comes another batch
// norm, so that the loss does not depend on γ in front of it, and all of dγ is rounding; and what a few numbers hold may be small by chance.
inline constexpr double kBf16StepTolerance = 0.8, kBf16Floor = 5e-2;

struct StepCheck {
  std::string against;  // what it was compared with
  bool winograd = false, bf16 = false;
  std::map<std::string, double> errors;  // of the losses, of each gradient ("d/NAME") and of each new running statistic
  double tolerance() const { return bf16 ? kBf16StepTolerance : winograd ? kWinogradStepTolerance : kDirectStepTolerance; }
  bool passed() const;
};

// Of the program that `trainer` runs for batches of this size, with its weights as they are; it learns nothing from it.
StepCheck check_step(Trainer& trainer, const data::Batch& batch);
}  // namespace autodidact::train
