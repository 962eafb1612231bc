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

// In bf16 each number of a plane is rounded by up to 2^-8, and a deep network of fresh weights multiplies roundings: in f32, with weights that
// are changed by 0.16 % at random, the gradients of ResNet-50 differ by 1.2 of their size, nearly as much as any two that have nothing in common
// (1.4). So in bf16 both steps are made with γ of each residual branch's last batch norm times kBf16Damping. Then they differ by 0.28 at most in any
// tensor, with 4 images as with 32, in ResNet-18, -50 and ResNeXt-50, and a gradient of half the size (0.5) or of the wrong sign (2) is told from a right one; the accuracy
// of each op is proven by the tests of the ops. (Where a batch norm sees fewer than 16 numbers a channel, as in 4 images of 8 pixels, its statistics are so
// uncertain that nothing can be checked.) A gradient smaller than kBf16Floor of all together is taken to be as large as that: behind some ReLUs comes another batch
// norm, so that the loss does not depend on γ in front of it, and all of dγ is rounding; and what a few numbers hold may be small by chance.
inline constexpr double kBf16StepTolerance = 0.4, kBf16Floor = 5e-2, kBf16Damping = 0.1;

struct StepCheck {
  std::string against;  // what it was compared with
  bool winograd = false, bf16 = false;
  std::map<std::string, double> errors;  // of the losses, of each gradient ("d/NAME") and of each new running statistic
  double tolerance() const { return bf16 ? kBf16StepTolerance : winograd ? kWinogradStepTolerance : kDirectStepTolerance; }
  bool passed() const;
};

// Of the program that `trainer` runs for batches of this size, with its weights as they are, but in bf16 (see above); it learns nothing from it.
StepCheck check_step(Trainer& trainer, const data::Batch& batch);
}  // namespace autodidact::train
