// train/comparison.hpp: recipes against each other: each was run with several seeds, everything else alike.
//
// Of each exit and of the ensemble: mean and sample deviation over the seeds, s = √(Σ(x−x̄)²/(n−1)). What a recipe gains is said
// against exit 4 of the reference, seed by seed (runs of one seed see the same pictures in the same order), and then likewise.
#pragma once
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "train/run_result.hpp"

namespace autodidact::train {

struct ComparedRun {
  std::string recipe = {};
  std::uint64_t seed = 0;
  std::string directory = {};
  RunResult result = {};
  std::string failure = {};  // why there is no result; empty: there is one
};

struct Spread {
  double mean = kMissing, deviation = kMissing;  // the deviation of one number is missing
};
Spread spread_of(std::span<const double> numbers);  // of those that are finite

struct RecipeSpread {
  std::string recipe;
  std::size_t runs = 0;  // that ended
  std::array<Spread, kColumns> accuracy = {};  // on the test half, after the last epoch
  std::array<Spread, kColumns> gain = {};      // against the reference's exit 4; missing for that itself
};

struct Comparison {
  std::string reference;  // baseline where it is among them, else the first
  std::vector<RecipeSpread> recipes;  // in the order of the runs
};

Comparison compare(std::span<const ComparedRun> runs);

// "91.30 ± 0.12", or "+0.42 ± 0.10" with a sign; a dash for what is missing.
std::string spread_text(const Spread& spread, bool with_sign = false);
// Both tables for the terminal, below a title.
std::string comparison_text(const Comparison& comparison, const std::string& title);
// "reference", "recipes" and "runs".
nlohmann::ordered_json to_json(const Comparison& comparison, std::span<const ComparedRun> runs);
}  // namespace autodidact::train
