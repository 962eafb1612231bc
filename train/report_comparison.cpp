#include "train/report_comparison.hpp"

#include <fmt/format.h>

#include <cmath>
#include <charconv>
#include <iterator>
#include <set>
#include <vector>

#include "train/comparison.hpp"
#include "train/markup.hpp"

namespace autodidact::train {
namespace {

// Options in which runs that are compared may differ: what is compared, and what changes no number.
const std::set<std::string, std::less<>> kMayDiffer{"recipe", "seed", "out", "overwrite", "resume", "save-every", "keep", "json"};

bool alike(const RunRecord& a, const RunRecord& b) {
  const auto covers = [](const RunRecord& one, const RunRecord& other) {
    for (const auto& [key, value] : one.config)
      if (!kMayDiffer.contains(key) && other.option(key) != value) return false;
    return true;
  };
  return covers(a, b) && covers(b, a);
}

// Those that ended; none if they cannot be compared.
std::vector<ComparedRun> compared(std::span<const RunRecord> runs) {
  std::vector<ComparedRun> result;
  for (const RunRecord& run : runs) {
    if (!alike(run, runs.front())) return {};
    if (!run.result) continue;
    const std::string seed = run.option("seed");
    ComparedRun one{.recipe = run.option("recipe"), .directory = run.name, .result = *run.result};
    std::from_chars(seed.data(), seed.data() + seed.size(), one.seed);
    result.push_back(std::move(one));
  }
  return result;
}

std::string table(const Comparison& comparison, std::array<Spread, kColumns> RecipeSpread::*columns, bool with_sign, const std::string& caption) {
  std::string text = fmt::format("<div class=\"scroll\"><table class=\"figures\">\n<caption>{}</caption>\n<thead><tr><th scope=\"col\">recipe</th>", caption);
  for (std::size_t k = 1; k <= kExits; ++k) text += fmt::format("<th scope=\"col\">exit {}/{}</th>", k, kExits);
  text += "<th scope=\"col\">ensemble</th><th scope=\"col\">runs</th></tr></thead>\n<tbody>\n";
  for (const RecipeSpread& recipe : comparison.recipes) {
    text += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(recipe.recipe));
    for (const Spread& spread : recipe.*columns) {
      text += fmt::format("<td>{}", spread_text({spread.mean, kMissing}, with_sign));
      if (std::isfinite(spread.deviation)) text += fmt::format(" <small>± {:.2f}</small>", spread.deviation);
      text += "</td>";
    }
    text += fmt::format("<td>{}</td></tr>\n", recipe.runs);
  }
  return text + "</tbody></table></div>\n";
}
}  // namespace

std::string comparison_html(std::span<const RunRecord> runs) {
  const std::vector<ComparedRun> ended = compared(runs);
  if (ended.size() < 2) return {};
  const Comparison comparison = compare(ended);
  return "<h2 class=\"part\">Recipes</h2>\n" +
         table(comparison, &RecipeSpread::accuracy, false, "Accuracy in % on the test half after the last epoch: mean ± sample deviation over the seeds.") +
         table(comparison, &RecipeSpread::gain, true,
               fmt::format("Points gained over exit 4/4 of {}, seed by seed: mean ± sample deviation.", escaped(comparison.reference)));
}
}  // namespace autodidact::train
