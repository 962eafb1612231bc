// How well each exit classifies and learns: the records that the log, the table, the chart and the choice of the best model share.
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

/// The exits and the ensemble, as columns of a table.
inline constexpr std::size_t kColumns = kExits + 1;
inline std::array<double, kColumns> columns_of(const ExitAccuracies& accuracies) {
  const auto& exits = accuracies.exits;
  return {exits[0], exits[1], exits[2], exits[3], accuracies.ensemble};
}

/// What each exit was taught by, as means over a batch, before α, λ and T²: they can be compared between exits and recipes.
/// kMissing where the loss has no such term.
struct ExitLosses {
  using List = std::array<double, kExits>;
  static constexpr List kNone{kMissing, kMissing, kMissing, kMissing};
  List ce = kNone;       ///< cross-entropy with the labels, nats
  List soft = kNone;     ///< soft cross-entropy with the teacher's labels, nats; none for exit 4, the teacher
  List feature = kNone;  ///< feature distance from the teacher; none for exit 4
};

}  // namespace autodidact::train
