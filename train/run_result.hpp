// train/run_result.hpp: how a run ended: what `train --json` gives, and result.json of the run directory.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "train/exit_accuracies.hpp"
#include "train/init_from.hpp"

namespace autodidact::train {

struct RunResult {
  ExitAccuracies test = {};        // of the last epoch's weights
  ExitAccuracies best = {};        // on `best_on`, of the best epoch
  int best_epoch = 0;              // counted from 1; 0: no epoch ended
  std::int64_t steps = 0;
  int signal = 0;                  // SIGINT, SIGTERM or SIGUSR1: it came, and a checkpoint and last.safetensors hold that step
  std::string best_on = {};        // "validation", "test" or "training"
  std::optional<LoadReport> init_from = {};  // what fitted, where the run began from a file of weights
};

// {"exits":[…],"ensemble":…}, null for what is missing.
nlohmann::ordered_json to_json(const ExitAccuracies& accuracies);

// "steps best_epoch best_on test best", and "init_from" where there is one; the signal is not part of it.
nlohmann::ordered_json to_json(const RunResult& result);
// Throws std::invalid_argument that says what is wrong.
RunResult result_from_json(const std::string& text);
}  // namespace autodidact::train
