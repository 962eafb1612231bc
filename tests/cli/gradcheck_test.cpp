#include "cli/gradcheck_cases.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "cli/command.hpp"
#include "engine/mutation.hpp"
#include "tests/cli/program.hpp"
#include "train/errors.hpp"

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

// As long as it lives, what this process prints goes nowhere.
class SilentOutput {
 public:
  SilentOutput() {
    std::fflush(stdout);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::close(nowhere);
  }
  ~SilentOutput() {
    std::fflush(stdout);
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }
  SilentOutput(const SilentOutput&) = delete;
  SilentOutput& operator=(const SilentOutput&) = delete;

 private:
  int before_ = ::dup(STDOUT_FILENO);
};
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

TEST_CASE("gradcheck: a check that fails is in the result, and the program's exit code is that of a numerical error") {
  const ScratchDirectory folder;
  const std::string json = (folder / "result.json").string();
  for (const char* mutant : {"relu.reference.dx", "relu.fast.dx"}) {
    engine::active_mutation = mutant;
    {
      const SilentOutput silence;
      CHECK_THROWS_AS(cli::run_gradcheck({"--op", "relu", "--threads", "1", "--json", json}), train::NumericalError);
    }
    engine::active_mutation.clear();
    const auto result = nlohmann::json::parse(read_text(json));
    CHECK(result.at("failed").get<int>() > 0);
    CHECK(result.at("cases").at(0).at("passed") == false);
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
