// train/report_comparison.hpp: recipes against each other, as a part of a report about their runs.
#pragma once
#include <span>
#include <string>

#include "train/run_record.hpp"

namespace autodidact::train {

// HTML; empty unless at least two of the runs have ended, and they are alike but for recipe and seed. The tables are
// train/comparison.hpp's.
std::string comparison_html(std::span<const RunRecord> runs);
}  // namespace autodidact::train
