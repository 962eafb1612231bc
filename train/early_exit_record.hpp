// train/early_exit_record.hpp: what a policy of early exit promises, as far as a report shows it: policy.json in a run directory.
//
//   "frontier": [{"relative_time": 0.62, "accuracy": 91.1, "exits": [{"exit": 2, …}, …]}, …]
//       policies from fast to accurate: time relative to trunk and exit 4 alone, as predicted; accuracy in percent; exits kept
//   "validation": {"accuracy": …, "share_per_exit": [4 numbers, 0 … 1], "ms_per_image": …, "trunk_ms_per_image": …, "exits": [4 numbers]}
//       the policy that was chosen, on the images it was chosen by, and every exit for every image
//
// What else the file holds is not looked at, and of these two each may be missing.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "train/exit_accuracies.hpp"

namespace autodidact::train {

struct EarlyExitRecord {
  struct Point {
    double relative_time = kMissing, accuracy = kMissing;
    std::vector<int> exits = {};
  };
  std::vector<Point> frontier = {};  // by time
  Point chosen = {};                 // its exits: those that images left at
  std::array<double, kExits> share_per_exit{kMissing, kMissing, kMissing, kMissing};
  double trunk_accuracy = kMissing;  // of exit 4 for every image, at relative time 1
};

// Throws std::invalid_argument where the text is no JSON object, or one of the numbers above is none.
EarlyExitRecord early_exit_from_json(const std::string& text);
}  // namespace autodidact::train
