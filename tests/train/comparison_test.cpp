#include "train/comparison.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace autodidact::train;

namespace {
ComparedRun compared(const std::string& recipe, std::uint64_t seed, ExitAccuracies test) {
  return {.recipe = recipe, .seed = seed, .directory = recipe + "-seed" + std::to_string(seed), .result = {.test = test}};
}
ExitAccuracies plain(double exit4) { return {{kMissing, kMissing, kMissing, exit4}, kMissing}; }

std::vector<ComparedRun> two_recipes() {
  return {compared("baseline", 1, plain(80)), compared("seed", 1, {{70, 75, 80, 84}, 85}), compared("baseline", 2, plain(82)),
          compared("seed", 2, {{72, 77, 81, 84}, 86})};
}
}  // namespace

TEST_CASE("comparison: mean and sample deviation, and none of one number") {
  const std::vector<double> numbers{2, 4, kMissing, 9};
  CHECK(spread_of(numbers).mean == 5);
  CHECK(spread_of(numbers).deviation == doctest::Approx(std::sqrt(13.0)));
  CHECK(spread_of(std::span(numbers).first(1)).mean == 2);
  CHECK(std::isnan(spread_of(std::span(numbers).first(1)).deviation));
  CHECK(std::isnan(spread_of({}).mean));
}

TEST_CASE("comparison: what a recipe gains is said against the plain network's exit 4, seed by seed") {
  const Comparison comparison = compare(two_recipes());
  CHECK(comparison.reference == "baseline");
  REQUIRE(comparison.recipes.size() == 2);
  const RecipeSpread &base = comparison.recipes[0], &seed = comparison.recipes[1];
  CHECK(base.recipe == "baseline");
  CHECK(base.accuracy[3].mean == 81);
  CHECK(std::isnan(base.accuracy[0].mean));
  CHECK(std::isnan(base.gain[3].mean));
  CHECK(seed.accuracy[4].mean == 85.5);
  CHECK(seed.gain[3].mean == 3);  // +4 and +2: paired, their deviation is not that of 84 and 84
  CHECK(seed.gain[3].deviation == doctest::Approx(std::sqrt(2.0)));
  CHECK(seed.gain[0].mean == -10);
  CHECK(seed.gain[0].deviation == 0);
  CHECK(spread_text(seed.gain[3], true) == "+3.00 ± 1.41");
  CHECK(spread_text(base.accuracy[0]) == "–");
}

TEST_CASE("comparison: a run that failed takes its pair with it, and is named") {
  std::vector<ComparedRun> runs = two_recipes();
  runs[0].failure = "step 3: the loss is nan";
  const Comparison comparison = compare(runs);
  CHECK(comparison.recipes[0].runs == 1);
  CHECK(comparison.recipes[1].runs == 2);
  CHECK(comparison.recipes[1].gain[3].mean == 2);
  CHECK(std::isnan(comparison.recipes[1].gain[3].deviation));
  const auto json = to_json(comparison, runs);
  CHECK(json["runs"][0]["failure"] == "step 3: the loss is nan");
  CHECK_FALSE(json["runs"][0].contains("test"));
  CHECK(json["recipes"][1]["mean"]["ensemble"] == 85.5);
  CHECK(json["recipes"][0]["mean"]["exits"][0].is_null());
}

TEST_CASE("comparison: without the plain network the first recipe is what the others are held against") {
  std::vector<ComparedRun> runs{compared("none", 1, {{1, 2, 3, 4}, 5}), compared("seed", 1, {{2, 3, 4, 6}, 7})};
  const Comparison comparison = compare(runs);
  CHECK(comparison.reference == "none");
  CHECK(comparison.recipes[0].gain[0].mean == -3);
  CHECK(comparison.recipes[1].gain[3].mean == 2);
  const std::string text = comparison_text(comparison, "title");
  CHECK(text.starts_with("title\n"));
  CHECK(text.find("gained over 4/4 of none") != std::string::npos);
}
