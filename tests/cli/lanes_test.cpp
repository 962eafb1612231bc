// --lanes, as a user meets it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;

const std::string kTrain = "train" + kTinyNetwork + kTinyData + kFixed + "--batch 8 --epochs 2 --plan-cache off ";
const std::string kStep = kTinyNetwork + kTinyImages + "--choose fixed --batch 4 --json - --threads ";

std::string line_of(const std::string& text, const std::string& begin) {
  const std::size_t at = text.find(begin);
  return at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at);
}
}  // namespace

TEST_CASE("--lanes: bench, plan and trace have the branches side by side, or not; auto says which, and trace has none") {
  const auto bench = [](const std::string& more) { return Json::parse(run("bench step --steps 1" + kStep + more).out)["lanes"]; };
  CHECK(bench("1") == false);
  CHECK(bench("2 --lanes off") == false);
  CHECK(bench("2 --recompute stage") == false);
  const auto narrow_tasks = [](const std::string& more) {
    int count = 0;
    const Json plan = Json::parse(run("plan" + kStep + more).out);
    for (const Json& task : plan["tasks"]) count += task["threads"] == 1;
    return count;
  };
  CHECK(narrow_tasks("2 --lanes off") == 0);
  if (const Outcome info = run("info --json -"); Json::parse(info.out)["cores"]["allowed"] >= 2) {
    CHECK(bench("2") == true);
    CHECK(narrow_tasks("2") > 50);
    const Outcome found = run("bench step --steps 1 --lanes auto" + kStep + "2");
    CHECK(contains(found.err, Json::parse(found.out)["lanes"] == true ? "lanes on: a step of 4 images takes" : "lanes off: a step of 4 images takes"));
  }
  check_failure(run("trace --weights w --batch b --out o --lanes auto"), 2, {"trace times nothing", "--lanes"});
}

TEST_CASE("--lanes auto: a run that was stopped goes on with what was found when it began") {
  const ScratchDirectory folder;
  const auto train = [&](const std::string& more) { return run(kTrain + "--out '" + (folder / "run").string() + "' " + more); };
  const Outcome first = train("--lanes auto --max-steps 5");
  INFO(first.err);
  REQUIRE(first.status == 0);
  const std::string found = line_of(first.err, "lanes o");
  CHECK(found.size() > 20);
  const Outcome second = train("--lanes auto --max-steps 9 --resume auto");
  REQUIRE(second.status == 0);
  CHECK(line_of(second.err, "lanes o") == found);  // to the millisecond: not timed again
  check_failure(train("--lanes off --resume auto"), 2, {"--lanes", "off", "auto"});
}
