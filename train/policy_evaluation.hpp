// train/policy_evaluation.hpp: what a policy does on a data set: how well it answers, where images leave, and what it saves.
//
// speed-up = time(trunk and fc4 alone) ÷ time(policy), on the same batches, one after the other in turn.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/loader.hpp"
#include "train/exit_policy_file.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

struct PolicyTrialOptions {
  std::int64_t batch = 128;
  bool compact = true;
  int pairs = 5;                     // of timings; 0: nothing is timed
  std::int64_t timed_images = 2560;  // about so many are timed, in whole batches spread over the data; 0: all
};

struct PolicyOutcome {
  std::int64_t images = 0, timed_images = 0;
  double accuracy = 0;                                 // percent
  std::array<double, model::kExits> share_per_exit{};  // 0 … 1
  double ensemble_share = 0;                           // of the images: no exit was sure, all decided
  std::vector<double> speedups = {};                   // one a pair
  // Of the timed images, and how they should compare by the policy's times; empty without pairs, or times.
  std::optional<double> speedup_measured = {}, speedup_predicted = {};
  double ms_per_image = 0, trunk_ms_per_image = 0;     // medians of the pairs
};

// One pass over the loader, whose batches have at most options.batch images.
PolicyOutcome evaluate_policy(Trainer& trainer, data::Loader& loader, const PolicyFile& file, const PolicyTrialOptions& options);
}  // namespace autodidact::train
