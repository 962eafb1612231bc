// How well each exit classifies: the one record that the log, the table, the chart and the choice of the best model share.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

namespace autodidact::train {

/// Stands for "not measured" in every number that is shown or logged; printed as a dash, written as null.
inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// Exits of a network, shallowest first (1/4 … 4/4).
inline constexpr std::size_t kExits = 4;

/// Top-1 accuracies in percent, kMissing where the network has no such exit (recipe `baseline`).
struct ExitAccuracies {
  std::array<double, kExits> exits{kMissing, kMissing, kMissing, kMissing};
  double ensemble = kMissing;
};

}  // namespace autodidact::train
