#include "cli/gradcheck_cases.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "engine/mutation.hpp"
#include "tests/cli/program.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::cli::testing;
namespace fs = std::filesystem;

// Every kind of op that a header of ops/ names.
std::set<std::string> kinds_in_sources() {
  std::set<std::string> kinds{"batch_norm", "batch_norm_relu", "batch_norm_add_relu"};  // one class, three kinds
  const std::regex pattern("kind\\(\\) const override \\{ return \"(\\w+)\"");
  for (const auto& entry : fs::directory_iterator(fs::path(AUTODIDACT_SOURCE_DIR) / "ops")) {
    if (entry.path().extension() != ".hpp") continue;
    const std::string text = read_text(entry.path());
    std::smatch match;
    if (std::regex_search(text, match, pattern)) kinds.insert(match[1]);
  }
  return kinds;
}
}  // namespace

TEST_CASE("gradcheck: the catalogue has every kind of op") {
  std::set<std::string> kinds;
  for (const cli::GradientCase& one : cli::op_cases()) kinds.insert(one.op);
  CHECK(kinds == kinds_in_sources());
}

TEST_CASE("gradcheck: a broken formula fails, in the reference and in the fast path") {
  for (const cli::GradientCase& one : cli::op_cases()) {
    if (one.op != "relu") continue;
    CHECK(cli::examine(one).passed);
    for (const char* mutant : {"relu.reference.dx", "relu.fast.dx"}) {
      engine::active_mutation = mutant;
      CHECK_FALSE(cli::examine(one).passed);
    }
    engine::active_mutation.clear();
  }
}

TEST_CASE("gradcheck: prints both numbers and the verdict of each case") {
  const Outcome text = run("gradcheck --op relu --threads 1");
  CHECK(text.status == 0);
  for (const char* part : {"relu", "PASS", "h^4/30", "fast at most"}) CHECK(contains(text.out, part));

  const Outcome outcome = run("gradcheck --op root --threads 1 --json -");
  REQUIRE(nlohmann::json::accept(outcome.out));
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json.at("failed") == 0);
  CHECK(json.at("passed") == 1);
  CHECK(json.at("cases").at(0).at("finite_differences").get<double>() <=
        json.at("cases").at(0).at("finite_differences_tolerance").get<double>());
}
