// cli/gradcheck_cases.hpp: what `autodidact gradcheck` examines: every kind of op in small shapes that are awkward (odd planes,
// channels that no block divides), and whole networks with their loss.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/gradient_check.hpp"

namespace autodidact::cli {

// How far the fast path may be from the reference, ‖fast − reference‖₂ / ‖reference‖₂, and why.
struct FastTolerance {
  double value = 0;
  std::string reason;
};

struct GradientCase {
  std::string op;     // the kind of op; of a network its model
  std::string shape;  // what tells the cases of one kind apart
  engine::CheckCase check;
  FastTolerance fast;
};

// Cases of one kind lie together.
std::vector<GradientCase> op_cases();
std::vector<GradientCase> network_cases();

// The same case of an op, its fast path in bf16.
GradientCase in_bf16(GradientCase gradient_case);

struct Verdict {
  double finite_differences = 0;            // reference gradient against finite differences of the reference
  double finite_differences_tolerance = 0;  // from the step and ε
  double fast = 0;                // fast path against reference
  bool passed = false;
};
Verdict examine(const GradientCase& gradient_case);
}  // namespace autodidact::cli
