// --lanes, as a user meets it.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;

const std::string kStep = kTinyNetwork + kTinyImages + "--choose fixed --batch 4 --json - --threads ";
}  // namespace

TEST_CASE("--lanes: bench, plan and trace have the branches side by side, or not") {
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
    CHECK(bench("2 --lanes on") == true);
    CHECK(narrow_tasks("2 --lanes on") > 50);
    CHECK(Json::parse(run("plan" + kStep + "2").out)["in_turn_ms"].is_null());  // fixed: nothing was measured
    const Json plan = Json::parse(run("plan" + kTinyNetwork + kTinyImages + "--choose measure --plan-cache off --batch 4 --threads 2 --json -").out);
    const double side_by_side = plan["side_by_side_ms"], in_turn = plan["in_turn_ms"], beside_trunk = plan["beside_trunk_ms"].is_null() ? 1e9 : plan["beside_trunk_ms"].get<double>();
    const double in_lanes = beside_trunk < 0.99 * side_by_side ? beside_trunk : side_by_side;
    const bool divided = std::any_of(plan["tasks"].begin(), plan["tasks"].end(), [](const Json& task) { return task["threads"] == 1; });
    CHECK(divided == (in_turn >= 0.95 * in_lanes));
    const bool beside = std::any_of(plan["tasks"].begin(), plan["tasks"].end(), [](const Json& task) { return task["lane"] == "beside"; });
    CHECK(beside == (divided && beside_trunk < 0.99 * side_by_side));
  }
}

TEST_CASE("--lanes: a run that is resumed keeps to what it was begun with") {
  const ScratchDirectory folder;
  const auto train = [&](const std::string& more) {
    return run("train" + kTinyNetwork + kTinyData + kFixed + "--batch 8 --epochs 2 --out '" + (folder / "run").string() + "' " + more);
  };
  REQUIRE(train("--max-steps 5").status == 0);
  CHECK(train("--max-steps 9 --resume auto").status == 0);
  check_failure(train("--lanes off --resume auto"), 2, {"--lanes", "off", "auto"});
}
