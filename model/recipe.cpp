#include "model/recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

namespace autodidact::model {
namespace {

std::vector<Recipe> make_recipes() {
  Recipe seed;
  Recipe iccv2019{.name = "iccv2019",
                  .alpha = 0.1,
                  .t2 = true,
                  .feature_term = FeatureTerm::squares,
                  .lambda = 1e-6,
                  .feature_exits = {1, 2, 3},
                  .adaptation = false,
                  .milestones = MilestoneRule::scaled};
  Recipe scan = iccv2019;
  scan.name = "scan";
  scan.alpha = 0.5;
  scan.lambda = 5e-7;
  Recipe none{.name = "none", .alpha = 0, .lambda = 0, .feature_exits = {}, .adaptation = false};
  Recipe baseline = none;
  baseline.name = "baseline";
  baseline.branches = false;
  return {seed, iccv2019, scan, none, baseline};
}

void require(bool condition, const std::string& sentence) {
  if (!condition) throw std::invalid_argument(sentence);
}
}  // namespace

std::vector<int> Recipe::active_feature_exits() const {
  if (!branches || lambda == 0) return {};
  std::vector<int> exits = feature_exits;
  std::sort(exits.begin(), exits.end(), std::greater());
  return exits;
}

std::vector<int> Recipe::adaptation_exits() const {
  return adaptation ? active_feature_exits() : std::vector<int>{};
}

std::span<const Recipe> recipes() {
  static const std::vector<Recipe> all = make_recipes();
  return all;
}

Recipe recipe_by_name(std::string_view name) {
  std::string known;
  for (const Recipe& recipe : recipes()) {
    if (recipe.name == name) return recipe;
    known += (known.empty() ? "" : ", ") + recipe.name;
  }
  throw std::invalid_argument(fmt::format("there is no recipe '{}': {}", name, known));
}

void check(const Recipe& recipe) {
  require(recipe.alpha >= 0 && recipe.alpha <= 1,
          fmt::format("alpha must be 0 to 1, got {}", recipe.alpha));
  require(
      recipe.lambda >= 0 && std::isfinite(recipe.lambda),
      fmt::format("lambda must be a finite number that is not negative, got {}", recipe.lambda));
  require(recipe.temperature > 0 && std::isfinite(recipe.temperature),
          fmt::format("the temperature must be above 0 and finite, got {}", recipe.temperature));
  for (const int k : recipe.feature_exits) {
    require(1 <= k && k <= 3, fmt::format("feature exits are 1 to 3, got {}", k));
    require(std::count(recipe.feature_exits.begin(), recipe.feature_exits.end(), k) == 1,
            fmt::format("feature exit {} is given twice", k));
  }
}
}  // namespace autodidact::model
