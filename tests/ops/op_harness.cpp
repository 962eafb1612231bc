#include "tests/ops/op_harness.hpp"

#include <doctest/doctest.h>

#include "engine/mutation.hpp"

namespace autodidact::testing {

using engine::active_mutation;

void check_mutants(const OpCase& op, const std::vector<std::string>& reference_mutants,
                   const std::vector<std::string>& fast_mutants, double tolerance) {
  for (const std::string& mutant : reference_mutants) {
    active_mutation = mutant;
    INFO("mutant ", mutant);
    CHECK(finite_difference_error(op) > tolerance);
  }
  for (const std::string& mutant : fast_mutants) {
    active_mutation = mutant;
    INFO("mutant ", mutant);
    CHECK(worst(fast_errors(op)) > tolerance);
  }
  active_mutation.clear();
}
}  // namespace autodidact::testing
