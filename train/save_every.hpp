// train/save_every.hpp: how often a run writes a checkpoint.
#pragma once
#include <cstdint>
#include <string>

namespace autodidact::train {

// Steps or minutes since the last one; neither: at the end of every epoch.
struct SaveEvery {
  std::int64_t steps = 0;
  double minutes = 0;

  bool each_epoch() const { return steps == 0 && minutes == 0; }
  bool due(std::int64_t steps_since, double seconds_since) const {
    return (steps > 0 && steps_since >= steps) || (minutes > 0 && seconds_since >= 60 * minutes);
  }
};

// "" · "500" steps · "30m", "0.5m" minutes. Throws std::invalid_argument for anything else and for what is not positive.
SaveEvery parse_save_every(const std::string& text);
}  // namespace autodidact::train
