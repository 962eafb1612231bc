// cli/comparison_arguments.hpp: --compare and --seeds of `train`, and what is left when all runs have ended.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "train/comparison.hpp"

namespace autodidact::cli {

struct ComparisonArguments {
  std::string compare;       // names joined by commas; empty: one run
  std::optional<int> seeds;  // of each; 1 where it is not given, so that no config.toml of a single run speaks of it
  bool wanted() const { return !compare.empty(); }
  std::vector<std::string> recipes() const;
  void declare(CLI::App& app);
  // `resume`: --resume. Throws std::invalid_argument for what makes no sense beside it.
  void check(const CLI::App& app, const std::string& resume) const;
};

// config.toml of one of the runs from that of the command: an ordinary run's, which `train --config` takes back.
std::string config_of_run(const std::string& config_text, const std::string& recipe, std::uint64_t seed, const std::string& out);

// Prints the tables, and writes comparison.json and report.html into `out`. Then throws train::NumericalError if a run has failed.
void finish_comparison(const std::string& out, int seeds, std::span<const train::ComparedRun> runs, const JsonOutput& output);
}  // namespace autodidact::cli
