// train/calibration.hpp: chooses which exits to keep and when an image may leave, by measured times.
//
// Every subset of the exits 1 … 3, every measure, and at each kept exit the thresholds that let 1/24, 2/24 … all of the images leave
// that have come so far: for each the accuracy on the observed images is counted, and the time is added up batch by batch from the
// costs, with the images in the order in which they were observed. What no other policy beats in both is the frontier.
#pragma once
#include <optional>
#include <vector>

#include "data/loader.hpp"
#include "train/exit_policy_file.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

// The logits of all exits for some images, and their labels.
struct Observations {
  CascadeResult full;  // as of a cascade that nobody left
  std::vector<std::int32_t> labels = {};
};
// One pass over the loader, by the full inference program.
Observations observe(Trainer& trainer, data::Loader& loader);

struct CalibrationGoal {
  double accuracy_drop = 0.5;            // percentage points that may be lost against exit 4 alone: the fastest policy that loses no more
  std::optional<double> budget_ms = {};  // in place of it: the most accurate policy that takes no more an image, on average
  std::vector<Measure> measures = {std::begin(kMeasures), std::end(kMeasures)};
};

// std::invalid_argument for numbers that cannot be.
void check(const CalibrationGoal& goal);

struct Calibration {
  FrontierPoint chosen;
  std::vector<FrontierPoint> frontier;  // from the fastest to the most accurate
  PolicyValidation validation;          // of the chosen one; its seed is the caller's
};

// std::invalid_argument: no images, numbers of the goal that cannot be, or a budget that no policy keeps.
Calibration calibrate(const Observations& observations, const ExitCosts& costs, std::int64_t batch, const CalibrationGoal& goal);

// Where each image leaves under the policy.
std::vector<int> departures(const ExitPolicy& policy, const CascadeResult& full);
}  // namespace autodidact::train
