// train/comparison_run.hpp: `train --compare`: several recipes, several seeds, everything else alike, one run after the other.
//
// Each run has a directory of its own and is an ordinary one. A run whose numbers overflow is reported and the others go on; what stops
// the machine (a full disk) stops the comparison. Stopped by a signal or otherwise, it goes on where it was: runs that have ended are
// read, not repeated.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/source.hpp"
#include "engine/threads.hpp"
#include "train/comparison.hpp"
#include "train/training_run.hpp"

namespace autodidact::train {

struct PlannedRun {
  std::string recipe;
  std::uint64_t seed = 0;
  RunOptions options;  // its own directory and config_text in it
};

struct ComparisonResult {
  std::vector<ComparedRun> runs;  // those that ended or failed, in the order of the plan
  int signal = 0;                 // it came, and what was going on is saved
};

// `announce` is called before each run that is not read. Throws std::invalid_argument before the first one where a directory holds a
// run, unless that is to be overwritten or resumed.
ComparisonResult run_comparison(std::span<const PlannedRun> plan, const data::Source& source, engine::Lanes& lanes,
                                const std::function<void(const PlannedRun&)>& announce);
}  // namespace autodidact::train
