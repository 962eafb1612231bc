// engine/gradient_check.hpp: the two questions that prove a derivative.
//
//   1. Is the reference gradient the derivative of the reference forward pass? Central differences of fourth order in f64:
//      f'(0) ≈ (8(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h,   f(t) = Σ dy·y(θ + t·u)
//      along random directions u. Its error is at most h⁴·|f⁽⁵⁾|/30 + 1.5·ε·|f|/h: with h = 1e-3 and ε = 2.2e-16 about
//      3e-14 relative to |f⁽⁵⁾| and 3e-13 relative to Σ|dy·y|.
//   2. Does the fast path compute what the reference computes? Same numbers, f32 (or bf16, of numbers that bf16 has) against f64.
//
// Kinks: an op that decides (the mask of a ReLU, the arg-max of a pool) replays the decision of the base point, and detached
// ports read the values of the base point; so f is smooth in t, and a teacher that backward does not go through stands
// still. Without that, backward of a distillation loss is *not* the derivative of the printed loss.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/graph.hpp"

namespace autodidact::engine {

struct CheckCase {
  // Adds inputs, parameters and ops; returns the output y. Inputs and parameters get standard normal numbers, rounded to f32,
  // unless `values` gives theirs (all elements, plain layout). States get positive ones.
  std::function<ValueId(Graph&)> build;
  std::vector<std::string> differentiate = {};  // inputs whose gradient is checked; parameters always are
  std::map<std::string, std::vector<double>> values = {};
  Mode mode = Mode::train;
  Precision precision = Precision::f32;  // of the fast path; under bf16 all numbers but labels are rounded to bf16, for both backends
  std::vector<std::string> prefer = {};  // candidate ids that the fast path must take where they are offered
  std::uint64_t seed = 1;
  int directions = 4;                                // per tensor
  std::span<const FusionRule* const> fusions = {};   // of the fast path
  std::vector<std::int64_t> blocks = {1, 8, 16, 0};  // channel blocks for fast_errors; 0 = channels last
  std::vector<int> threads = {1, 0};                 // lane sizes for fast_errors, also more than there are cores; 0 = every allowed core
  bool direct = false;                               // only algorithms of full f32 accuracy
  // Finite differences: the step h; whether a direction moves all differentiated tensors at once (cheap for whole networks);
  // and how large |f⁽⁵⁾| may be, relative to the slope. Each batch norm multiplies it.
  double step = 1e-3;
  bool joint = false;
  double fifth_derivative = 1e6;
};

// The error that a right gradient may show: h⁴/30·|f⁽⁵⁾| + 1.5·ε/h·1e5, where Σ|dy·y| is at most 1e5 times the slope.
constexpr double finite_difference_tolerance(double step, double fifth_derivative) {
  constexpr double epsilon = 2.2e-16, kCancellation = 1e5;
  return step * step * step * step / 30 * fifth_derivative + 1.5 * epsilon / step * kCancellation;
}

// The largest |fd − grad·u| / max(|fd|, |grad·u|, 0.01·‖grad‖), over every differentiated tensor (or all of them together) and
// several u.
double finite_difference_error(const CheckCase& check);

// ‖fast − reference‖₂ / max(‖reference‖₂, 1e-6·√n) for y, for each gradient ("d/NAME") and each staged statistic: the worst over
// the blocks, on lanes of one and of all threads.
std::map<std::string, double> fast_errors(const CheckCase& check);
double worst(const std::map<std::string, double>& errors);

// y, the gradients "d/NAME" of inputs and parameters, and the staged statistics by name, as the textbook or as the fast path
// computes them (with the CPU's favourite block and all threads).
std::map<std::string, std::vector<double>> run(const CheckCase& check, Backend backend);

// ‖ours − reference‖₂ / max(‖reference‖₂, 1e-6·√n); 1e30 if not finite.
double relative_error(const std::vector<double>& ours, const std::vector<double>& reference);
}  // namespace autodidact::engine
