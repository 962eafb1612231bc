#include "train/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace autodidact::train {
namespace {
using Json = nlohmann::ordered_json;

// The test accuracies of a recipe's run with this seed; missing where there is none.
std::array<double, kColumns> accuracies_of(std::span<const ComparedRun> runs, const std::string& recipe, std::uint64_t seed) {
  for (const ComparedRun& run : runs)
    if (run.recipe == recipe && run.seed == seed && run.failure.empty()) return columns_of(run.result.test);
  return columns_of({});
}

RecipeSpread recipe_spread(std::span<const ComparedRun> runs, const std::string& recipe, const std::string& reference) {
  RecipeSpread result{.recipe = recipe};
  for (std::size_t column = 0; column < kColumns; ++column) {
    std::vector<double> accuracies, gains;
    for (const ComparedRun& run : runs) {
      if (run.recipe != recipe || !run.failure.empty()) continue;
      const double accuracy = columns_of(run.result.test)[column];
      accuracies.push_back(accuracy);
      gains.push_back(accuracy - accuracies_of(runs, reference, run.seed)[kExits - 1]);
    }
    result.runs = accuracies.size();
    result.accuracy[column] = spread_of(accuracies);
    if (recipe != reference || column != kExits - 1) result.gain[column] = spread_of(gains);
  }
  return result;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

// As accuracies are everywhere: a list of exits, and the ensemble.
Json columns_json(const std::array<Spread, kColumns>& columns, double Spread::*member) {
  Json json;
  for (std::size_t k = 0; k < kExits; ++k) json["exits"].push_back(number(columns[k].*member));
  json["ensemble"] = number(columns[kExits].*member);
  return json;
}

constexpr std::size_t kLabelColumns = 10, kCellColumns = 16;

// fmt pads by characters: ± and – are one each.
std::string table(const Comparison& comparison, std::array<Spread, kColumns> RecipeSpread::*columns, bool with_sign) {
  std::string text = fmt::format("{:<{}}", "", kLabelColumns);
  for (const char* head : {"1/4", "2/4", "3/4", "4/4", "ensemble"}) text += fmt::format("{:>{}}", head, kCellColumns);
  for (const RecipeSpread& recipe : comparison.recipes) {
    text += fmt::format("\n{:<{}}", recipe.recipe, kLabelColumns);
    for (const Spread& spread : recipe.*columns) text += fmt::format("{:>{}}", spread_text(spread, with_sign), kCellColumns);
  }
  return text + "\n";
}
}  // namespace

Spread spread_of(std::span<const double> numbers) {
  double sum = 0, squares = 0, count = 0;
  for (const double x : numbers)
    if (std::isfinite(x)) sum += x, ++count;
  if (count == 0) return {};
  const double mean = sum / count;
  for (const double x : numbers)
    if (std::isfinite(x)) squares += (x - mean) * (x - mean);
  return {mean, count > 1 ? std::sqrt(squares / (count - 1)) : kMissing};
}

Comparison compare(std::span<const ComparedRun> runs) {
  std::vector<std::string> recipes;
  for (const ComparedRun& run : runs)
    if (std::find(recipes.begin(), recipes.end(), run.recipe) == recipes.end()) recipes.push_back(run.recipe);
  Comparison comparison;
  if (recipes.empty()) return comparison;
  const bool plain = std::find(recipes.begin(), recipes.end(), "baseline") != recipes.end();
  comparison.reference = plain ? "baseline" : recipes.front();
  for (const std::string& recipe : recipes) comparison.recipes.push_back(recipe_spread(runs, recipe, comparison.reference));
  return comparison;
}

std::string spread_text(const Spread& spread, bool with_sign) {
  if (!std::isfinite(spread.mean)) return "–";
  const std::string mean = with_sign ? fmt::format("{:+.2f}", spread.mean) : fmt::format("{:.2f}", spread.mean);
  return std::isfinite(spread.deviation) ? fmt::format("{} ± {:.2f}", mean, spread.deviation) : mean;
}

std::string comparison_text(const Comparison& comparison, const std::string& title) {
  std::string text = title + "\n" + table(comparison, &RecipeSpread::accuracy, false);
  return text + fmt::format("\ngained over 4/4 of {}, seed by seed\n", comparison.reference) + table(comparison, &RecipeSpread::gain, true);
}

Json to_json(const Comparison& comparison, std::span<const ComparedRun> runs) {
  Json json{{"reference", comparison.reference}, {"recipes", Json::array()}, {"runs", Json::array()}};
  for (const RecipeSpread& recipe : comparison.recipes)
    json["recipes"].push_back({{"recipe", recipe.recipe}, {"runs", recipe.runs}, {"mean", columns_json(recipe.accuracy, &Spread::mean)},
                               {"deviation", columns_json(recipe.accuracy, &Spread::deviation)},
                               {"gain", columns_json(recipe.gain, &Spread::mean)},
                               {"gain_deviation", columns_json(recipe.gain, &Spread::deviation)}});
  for (const ComparedRun& run : runs) {
    Json entry{{"recipe", run.recipe}, {"seed", run.seed}, {"directory", run.directory}};
    if (run.failure.empty()) entry.update(to_json(run.result));
    else entry["failure"] = run.failure;
    json["runs"].push_back(std::move(entry));
  }
  return json;
}
}  // namespace autodidact::train
