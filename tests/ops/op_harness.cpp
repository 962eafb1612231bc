#include "tests/ops/op_harness.hpp"

#include <doctest/doctest.h>

#include "engine/mutation.hpp"
#include "engine/onednn.hpp"

namespace autodidact::testing {

using engine::active_mutation;

std::map<std::string, double> fast_errors(const OpCase& op) {
  if (engine::onednn::has_bf16()) {
    OpCase bf16 = op;
    bf16.precision = engine::Precision::bf16;
    bf16.threads = {0};
    for (const auto& [name, error] : engine::fast_errors(bf16)) {
      INFO("in bf16: ", name);
      CHECK(error <= kBf16Tolerance);
    }
  }
  return engine::fast_errors(op);
}

bool has_winograd() { return engine::onednn::has_avx512() && engine::onednn::version().starts_with("2."); }

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
    CHECK(worst(engine::fast_errors(op)) > tolerance);
  }
  active_mutation.clear();
}
}  // namespace autodidact::testing
