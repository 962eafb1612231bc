// train/frontier_chart.hpp: accuracy against time of the policies that a calibration found (train/calibration.hpp), as a report's figure.
#pragma once
#include <string>

#include "train/exit_policy_file.hpp"
#include "train/report_charts.hpp"

namespace autodidact::train {

// The frontier as a line, and where it is known the policy that the file keeps and exit 4 alone as points. `name`: the file's.
Figure frontier_figure(const PolicyFile& file, const std::string& name);
}  // namespace autodidact::train
