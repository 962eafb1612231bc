// tests/ops/op_harness.hpp: what every op's test asks. The questions themselves are engine/gradient_check.hpp, which
// `autodidact gradcheck` asks too; here is the third one: is each broken formula (engine/mutation.hpp) noticed?
#pragma once
#include <string>
#include <vector>

#include "engine/gradient_check.hpp"

namespace autodidact::testing {

using OpCase = engine::CheckCase;
using engine::finite_difference_error;
using engine::run;
using engine::worst;

// Of the fast path in f32. A CHECK sees to it that in bf16 they are at most kBf16Tolerance, where the CPU has it.
std::map<std::string, double> fast_errors(const OpCase& op);

// Whether the library has Winograd convolutions on this CPU: where it has, a test of them must see them.
bool has_winograd();

// Each mutant must push the error above `tolerance`; CHECKs name the one that survives. Reference mutants are looked for by
// finite differences, fast mutants by comparison with the reference.
void check_mutants(const OpCase& op, const std::vector<std::string>& reference_mutants,
                   const std::vector<std::string>& fast_mutants, double tolerance);

inline constexpr double kSmoothTolerance = 1e-7;  // finite differences in f64 where the op is smooth
inline constexpr double kF32Tolerance = 1e-5;     // sums of ≤ 1e4 f32 products, rounded at 6e-8 each
// A number that is written in bf16 is rounded by at most 2^-8 of it, by 2^-8/√12 to 2^-8/√3 in the root mean square of many. On its way from its
// inputs, which bf16 has, a result is rounded twice at most: dx of a batch norm is made from the dz that was written, a folded weight is
// rounded before it is used.
inline constexpr double kBf16Tolerance = 1.0 / 256;
}  // namespace autodidact::testing
