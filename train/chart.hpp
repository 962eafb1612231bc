// Line charts as SVG: one text, drawn by every browser, embeddable in a page as it is (no style sheet, no script, no id,
// no font but the generic sans-serif).
//
// Axes begin and end where the data needs it, with ticks at 1, 2, 2.5 or 5 times a power of ten; where all x are whole
// numbers (epochs) so are their ticks. A point that is not finite (kMissing) breaks its line; a series without a finite
// point is left out. The legend gives each series' last value. Text may be anything: it is escaped, and control
// characters and broken UTF-8 are replaced.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "train/exit_accuracies.hpp"

namespace autodidact::train {

struct ChartPoint {
  double x = 0;
  double y = 0;
};

struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;  ///< in the order in which they are joined
  std::string
      color{};  ///< "#rrggbb"; empty: the next one of a palette that colour-blind readers can tell apart
};

struct LineChart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<ChartSeries> series;
  int width = 760;  ///< pixels
  int height = 440;
  bool legend = true;  ///< a single series that the title names needs none
};

/// The SVG document. Throws std::invalid_argument where the chart is smaller than 320×200 or a colour is not "#rrggbb".
std::string line_chart_svg(const LineChart& chart);

/// Accuracy of each exit and of the ensemble against epoch: shades of one blue from shallow to deep, the ensemble apart.
/// `epochs[0]` is epoch 1.
LineChart exits_chart(std::string title, std::span<const ExitAccuracies> epochs);

}  // namespace autodidact::train
