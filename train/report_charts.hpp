// train/report_charts.hpp: the charts of a report. Each is finite whatever the run holds: a row that is missing leaves a gap, and
// long curves are thinned to means of neighbours.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "train/chart.hpp"
#include "train/run_record.hpp"

namespace autodidact::train {

// A chart and what it shows in words, for those who cannot see it.
struct Figure {
  LineChart chart;
  std::string words;
};

Figure loss_figure(const RunRecord& run);        // loss and its terms against step
// What the exits learn from, before the weights of the loss: cross-entropy, soft labels, feature distance. Those that the loss has.
std::vector<Figure> exit_loss_figures(const RunRecord& run);
Figure accuracy_figure(const RunRecord& run);    // exits and ensemble against epoch, of the judged part
Figure rate_figure(const RunRecord& run);        // learning rate against step
Figure throughput_figure(const RunRecord& run);  // images a second against step
// The judged ensemble (exit 4 without branches) of each run against epoch. `names` are the runs'.
Figure comparison_figure(std::span<const RunRecord> runs, std::span<const std::string> names);

// "87.31", and a dash for what is missing.
std::string percent(double value);
// Of the speeds inside epochs; kMissing without any.
double median_throughput(const RunRecord& run);
}  // namespace autodidact::train
