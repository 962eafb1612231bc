#include "model/recipe.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>

namespace {
using namespace autodidact::model;
using Exits = std::vector<int>;
}  // namespace

TEST_CASE("recipe: the five of the table") {
  const Recipe seed = recipe_by_name("seed");
  CHECK(seed.alpha == 0.3);
  CHECK(seed.temperature == 3);
  CHECK_FALSE(seed.t2);
  CHECK(seed.feature_term == FeatureTerm::norm);
  CHECK(seed.lambda == 0.03);
  CHECK(seed.active_feature_exits() == Exits{2, 1});
  CHECK(seed.adaptation_exits() == Exits{2, 1});
  CHECK(seed.milestones == MilestoneRule::thirds);

  for (const char* name : {"iccv2019", "scan"}) {
    const Recipe recipe = recipe_by_name(name);
    CHECK(recipe.t2);
    CHECK(recipe.temperature == 3);
    CHECK(recipe.feature_term == FeatureTerm::squares);
    CHECK(recipe.active_feature_exits() == Exits{3, 2, 1});
    CHECK(recipe.adaptation_exits().empty());
    CHECK(recipe.milestones == MilestoneRule::scaled);
  }
  CHECK(recipe_by_name("iccv2019").alpha == 0.1);
  CHECK(recipe_by_name("iccv2019").lambda == 1e-6);
  CHECK(recipe_by_name("scan").alpha == 0.5);
  CHECK(recipe_by_name("scan").lambda == 5e-7);

  for (const char* name : {"none", "baseline"}) {
    const Recipe recipe = recipe_by_name(name);
    CHECK_FALSE(recipe.has_soft_term());
    CHECK(recipe.active_feature_exits().empty());
    CHECK(recipe.adaptation_exits().empty());
    CHECK(recipe.milestones == MilestoneRule::thirds);
    CHECK(recipe.branches == (std::string_view(name) == "none"));
  }
}

TEST_CASE("recipe: a weight of 0 leaves its term out") {
  Recipe recipe = recipe_by_name("seed");
  recipe.alpha = 0;
  recipe.lambda = 0;
  CHECK_FALSE(recipe.has_soft_term());
  CHECK(recipe.active_feature_exits().empty());
  CHECK(recipe.adaptation_exits().empty());
}

TEST_CASE("recipe: unknown names and impossible numbers are refused") {
  CHECK_THROWS_WITH_AS(recipe_by_name("paper"),
                       "there is no recipe 'paper': seed, iccv2019, scan, none, baseline",
                       std::invalid_argument);
  for (const Recipe& recipe : recipes()) CHECK_NOTHROW(check(recipe));
  Recipe recipe;
  recipe.alpha = 1.5;
  CHECK_THROWS_WITH_AS(check(recipe), "alpha must be 0 to 1, got 1.5", std::invalid_argument);
  recipe = {};
  recipe.lambda = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(check(recipe),
                       "lambda must be a finite number that is not negative, got inf",
                       std::invalid_argument);
  recipe = {};
  recipe.temperature = 0;
  CHECK_THROWS_WITH_AS(check(recipe), "the temperature must be above 0 and finite, got 0",
                       std::invalid_argument);
  recipe = {};
  recipe.feature_exits = {4};
  CHECK_THROWS_WITH_AS(check(recipe), "feature exits are 1 to 3, got 4", std::invalid_argument);
  recipe.feature_exits = {2, 2};
  CHECK_THROWS_WITH_AS(check(recipe), "feature exit 2 is given twice", std::invalid_argument);
}
