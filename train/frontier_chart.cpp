#include "train/frontier_chart.hpp"

#include <fmt/format.h>

#include "train/chart_colors.hpp"

namespace autodidact::train {

Figure frontier_figure(const PolicyFile& file, const std::string& name) {
  Figure figure{{fmt::format("Early exit by {}: accuracy against time", name), "time, of that of trunk and fc4 alone", "accuracy in %", {}}, {}};
  figure.chart.width = 860;
  figure.chart.height = 380;
  ChartSeries best{"best policies", {}, std::string(kPalette[0])};
  for (const FrontierPoint& point : file.frontier) best.points.push_back({point.relative_time, point.accuracy});
  if (best.points.empty()) {
    figure.words = "The policy's file has no frontier: it was not made by calibrate.";
    figure.chart.legend = false;
    return figure;
  }
  figure.words = fmt::format("Per cent of the validation images: {:.2f} at {:.2f} of the time, {:.2f} at {:.2f}", best.points.front().y,
                             best.points.front().x, best.points.back().y, best.points.back().x);
  figure.chart.series.push_back(std::move(best));
  if (file.validation) {
    const PolicyValidation& v = *file.validation;
    const double relative = v.ms_per_image / v.trunk_ms_per_image, exit4 = v.full.exits[model::kExits - 1];
    figure.chart.series.push_back({"the policy", {{relative, v.accuracy}}, std::string(kPalette[1])});
    figure.chart.series.push_back({"exit 4 alone", {{1, exit4}}, std::string(kInk)});
    figure.words += fmt::format("; the policy {:.2f} at {:.2f}; exit 4 alone {:.2f} at 1", v.accuracy, relative, exit4);
    for (std::size_t k = 0; k < v.share_per_exit.size(); ++k)
      figure.words += fmt::format("{}{:.1f} % at exit {}/{}", k == 0 ? ". Of the images leave " : ", ", 100 * v.share_per_exit[k], k + 1,
                                  v.share_per_exit.size());
  }
  figure.words += ".";
  return figure;
}
}  // namespace autodidact::train
