#include "cli/comparison_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "model/recipe.hpp"
#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "train/report.hpp"

namespace autodidact::cli {

void ComparisonArguments::declare(CLI::App& app) {
  app.add_option("--compare", compare, "recipes, joined by commas: runs each alike, and prints what it gains");
  app.add_option("--seeds", seeds, "runs of each recipe of --compare, with --seed, --seed + 1 ...")->check(CLI::Range(1, 10000));
}

std::vector<std::string> ComparisonArguments::recipes() const {
  std::vector<std::string> names;
  std::istringstream parts(compare);
  for (std::string name; std::getline(parts, name, ',');) names.push_back(name);
  return names;
}

void ComparisonArguments::check(const CLI::App& app, const std::string& resume) const {
  if (!wanted()) {
    if (seeds) throw std::invalid_argument("--seeds is for --compare; a single run has --seed");
    return;
  }
  for (const char* option : {"--recipe", "--alpha", "--lambda", "--temperature", "--t2", "--feature-term", "--feature-exits", "--adaptation"})
    if (app.count(option) > 0)
      throw std::invalid_argument(fmt::format("{} cannot be given with --compare, which runs recipes as they are", option));
  if (!resume.empty() && resume != "auto")
    throw std::invalid_argument("--compare goes on with --resume auto, not from a single checkpoint");
  const std::vector<std::string> names = recipes();
  for (const std::string& name : names) {
    (void)model::recipe_by_name(name);
    if (std::count(names.begin(), names.end(), name) > 1)
      throw std::invalid_argument(fmt::format("--compare names {} twice", name));
  }
}

std::string config_of_run(const std::string& config_text, const std::string& recipe, std::uint64_t seed, const std::string& out) {
  std::string result;
  std::istringstream lines(config_text);
  for (std::string line; std::getline(lines, line);) {
    const std::string key = line.substr(0, line.find('='));
    if (key == "compare" || key == "seeds" || key == "json") continue;
    if (key == "recipe") line = fmt::format("recipe=\"{}\"", recipe);
    if (key == "seed") line = fmt::format("seed={}", seed);
    if (key == "out") line = fmt::format("out=\"{}\"", out);
    result += line + "\n";
  }
  return result;
}

void finish_comparison(const std::string& out, int seeds, std::span<const train::ComparedRun> runs, const JsonOutput& output) {
  const std::filesystem::path folder = out;
  const train::Comparison comparison = train::compare(runs);
  const nlohmann::ordered_json json = to_json(comparison, runs);
  train::write_file_atomically(folder / "comparison.json", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  std::vector<train::RunRecord> records;
  std::string failures;
  for (const train::ComparedRun& run : runs) {
    if (run.failure.empty()) records.push_back(train::read_run(folder / run.directory));
    else failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", run.directory, run.failure);
  }
  if (!records.empty()) train::write_file_atomically(folder / "report.html", train::report_html(records));
  if (!output.to_stdout())
    fmt::print("{}", train::comparison_text(comparison, fmt::format("test accuracy in % after the last epoch, mean ± sample deviation of {} seed{}",
                                                                    seeds, seeds == 1 ? "" : "s")));
  output.write(json);
  if (!failures.empty()) throw train::NumericalError(failures);
}
}  // namespace autodidact::cli
