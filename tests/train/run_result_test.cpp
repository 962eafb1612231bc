#include "train/run_result.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/train/scratch.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {
RunResult some_result() {
  RunResult result{.test = {{10, kMissing, 30, 40}, 1.0 / 3}, .best_epoch = 3, .steps = 70, .best_on = "validation"};
  result.init_from = LoadReport{};
  for (int i = 0; i < 20000; ++i) result.init_from->ignored.push_back(fmt::format("tensor {}", i));
  return result;
}
}  // namespace

TEST_CASE("run result: what is written is read back, with all names of a start that has many") {
  const std::string text = to_json(some_result()).dump();
  const RunResult back = result_from_json(text);
  CHECK(back.steps == 70);
  CHECK(back.best_epoch == 3);
  CHECK(back.best_on == "validation");
  CHECK(std::isnan(back.test.exits[1]));
  CHECK(back.test.ensemble == 1.0 / 3);
  CHECK(back.init_from->ignored.size() == 20000);
  CHECK(to_json(back).dump() == text);
}

TEST_CASE("run result: a damaged file is refused with the reason") {
  const auto refusal = [](const std::string& text) { return message_of<std::invalid_argument>([&] { result_from_json(text); }); };
  const std::string whole = to_json(some_result()).dump();
  CHECK(refusal("[]") == "is not a JSON object");
  CHECK(refusal(whole.substr(0, 50)) == "is not JSON at byte 51");
  CHECK(refusal("{\"steps\":7," + whole.substr(1)) == "has the key \"steps\" twice");
  CHECK(refusal("{\"x\":" + std::string(200000, '[') + std::string(200000, ']') + "," + whole.substr(1)) == "is nested deeper than 4 levels");
  CHECK(refusal("{\"best_epoch\":1}") == "has no steps");
  CHECK(refusal("{\"steps\":1,\"best_epoch\":4294967297}") == "has a number that is not whole or too large");
}
