#include "train/report_charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "train/chart_colors.hpp"

namespace autodidact::train {
namespace {

constexpr int kWide = 860, kHalf = 425, kTall = 380, kMiddle = 330, kLow = 270;
constexpr std::size_t kMostPoints = 400;  // more than there are pixels to tell them apart

using Points = std::vector<ChartPoint>;

// Means of as many neighbours as it takes; a missing point counts only where all its neighbours are missing.
Points thinned(const Points& points) {
  const std::size_t stride = (points.size() + kMostPoints - 1) / kMostPoints;
  if (stride <= 1) return points;
  Points result;
  for (std::size_t begin = 0; begin < points.size(); begin += stride) {
    ChartPoint sum;
    double count = 0;
    for (std::size_t i = begin; i < std::min(begin + stride, points.size()); ++i) {
      if (!std::isfinite(points[i].y)) continue;
      sum = {sum.x + points[i].x, sum.y + points[i].y};
      ++count;
    }
    result.push_back(count > 0 ? ChartPoint{sum.x / count, sum.y / count} : ChartPoint{points[begin].x, kMissing});
  }
  return result;
}

Points against_step(const std::vector<MetricsRow>& rows, double MetricsRow::*value) {
  Points points;
  for (const MetricsRow& row : rows) points.push_back({static_cast<double>(row.step), row.*value});
  return points;
}

Points finite(const Points& points) {
  Points result;
  std::copy_if(points.begin(), points.end(), std::back_inserter(result), [](const ChartPoint& p) { return std::isfinite(p.y); });
  return result;
}

// "loss 2.302 at step 50, 0.5313 at step 450"
std::string first_and_last(const std::string& name, const Points& all, const char* unit) {
  const Points points = finite(all);
  if (points.empty()) return {};
  const auto at = [&](const ChartPoint& point) { return fmt::format("{:.4g} at {} {:.10g}", point.y, unit, point.x); };
  const std::string before = name.empty() ? name : name + " ";
  if (points.size() == 1) return before + at(points.front());
  return fmt::format("{}{}, {}", before, at(points.front()), at(points.back()));
}

std::string joined(const std::string& subject, const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    text += text.empty() ? "" : "; ";
    text += part;
  }
  return text.empty() ? "Nothing was measured yet." : fmt::format("{}: {}.", subject, text);
}

double judged_score(const ExitAccuracies& accuracies) {
  return std::isfinite(accuracies.ensemble) ? accuracies.ensemble : accuracies.exits[kExits - 1];
}

void set_size(LineChart& chart, int width, int height) {
  chart.width = width;
  chart.height = height;
}

Figure single_curve(std::string title, std::string unit, std::string_view color, const Points& points, const std::string& words) {
  Figure figure{{std::move(title), "step", std::move(unit), {{words, thinned(points), std::string(color)}}}, {}};
  set_size(figure.chart, kHalf, kLow);
  figure.chart.legend = false;
  return figure;
}
}  // namespace

Figure loss_figure(const RunRecord& run) {
  struct Term {
    const char* name;
    double MetricsRow::*value;
    std::string_view color;
  };
  static constexpr Term kTerms[]{{"loss", &MetricsRow::loss, kInk},
                                 {"cross-entropy", &MetricsRow::loss_ce, kPalette[0]},
                                 {"soft labels", &MetricsRow::loss_soft, kPalette[1]},
                                 {"feature", &MetricsRow::loss_feature, kPalette[2]}};
  const std::vector<MetricsRow> rows = step_rows(run);
  Figure figure{{"Loss and its terms", "step", "loss", {}}, {}};
  set_size(figure.chart, kWide, kTall);
  std::vector<std::string> words;
  for (const Term& term : kTerms) {
    const Points points = against_step(rows, term.value);
    figure.chart.series.push_back({term.name, thinned(points), std::string(term.color)});
    words.push_back(first_and_last(term.name, points, "step"));
  }
  figure.words = joined("In training", words);
  return figure;
}

std::vector<Figure> exit_loss_figures(const RunRecord& run) {
  struct Term {
    const char* title;
    const char* unit;
    ExitLosses::List ExitLosses::*member;
  };
  static constexpr Term kTerms[]{{"Cross-entropy of each exit", "nats", &ExitLosses::ce},
                                 {"Soft cross-entropy with the teacher", "nats", &ExitLosses::soft},
                                 {"Feature distance from the teacher", "distance", &ExitLosses::feature}};
  const std::vector<MetricsRow> rows = step_rows(run);
  std::vector<Figure> figures;
  for (const Term& term : kTerms) {
    Figure figure{{term.title, "step", term.unit, {}}, {}};
    set_size(figure.chart, kHalf, kMiddle);
    std::vector<std::string> words;
    for (std::size_t k = 0; k < kExits; ++k) {
      Points points;
      for (const MetricsRow& row : rows) points.push_back({static_cast<double>(row.step), (row.exit_losses.*term.member)[k]});
      if (finite(points).empty()) continue;
      const std::string name = fmt::format("{}/{}", k + 1, kExits);
      figure.chart.series.push_back({name, thinned(points), std::string(kExitColors[k])});
      words.push_back(first_and_last("exit " + name, points, "step"));
    }
    if (words.empty()) continue;
    figure.words = joined("Before the weights of the loss", words);
    figures.push_back(std::move(figure));
  }
  return figures;
}

Figure accuracy_figure(const RunRecord& run) {
  const std::vector<MetricsRow> epochs = epoch_rows(run);
  std::vector<ExitAccuracies> accuracies;
  for (const MetricsRow& row : epochs) accuracies.push_back(row.accuracies);
  Figure figure{exits_chart(fmt::format("Accuracy on the {} part", judged_on(run)), accuracies), {}};
  set_size(figure.chart, kWide, kTall);
  std::vector<std::string> words;
  for (ChartSeries& series : figure.chart.series) {
    for (std::size_t i = 0; i < epochs.size(); ++i) series.points[i].x = std::round(100 * epochs[i].epoch) / 100;  // resumed or cut
    words.push_back(first_and_last(series.name, series.points, "epoch"));
    series.points = thinned(series.points);
  }
  figure.words = epochs.empty() ? "No epoch has ended yet." : joined("Per cent", words);
  return figure;
}

Figure rate_figure(const RunRecord& run) {
  const Points points = against_step(run.rows, &MetricsRow::lr);
  Figure figure = single_curve("Learning rate", "rate", kPalette[3], points, "learning rate");
  figure.words = joined("Learning rate", {first_and_last("", points, "step")});
  return figure;
}

Figure throughput_figure(const RunRecord& run) {
  const Points points = against_step(step_rows(run), &MetricsRow::images_per_s);
  Figure figure = single_curve("Throughput", "images a second", kPalette[2], points, "images a second");
  const double median = median_throughput(run);
  if (!std::isfinite(median)) {
    figure.words = joined("", {});
    return figure;
  }
  const Points known = finite(points);
  const auto [slow, fast] = std::minmax_element(known.begin(), known.end(), [](auto& a, auto& b) { return a.y < b.y; });
  figure.words = fmt::format("Median {:.0f} images a second, between {:.0f} and {:.0f}.", median, slow->y, fast->y);
  return figure;
}

Figure comparison_figure(std::span<const RunRecord> runs, std::span<const std::string> names) {
  Figure figure{{"Accuracy of each run: ensemble, or exit 4/4 where a run has no branches", "epoch", "accuracy in %", {}}, {}};
  set_size(figure.chart, kWide, kTall);
  std::vector<std::string> words;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Points points;
    for (const MetricsRow& row : epoch_rows(runs[i])) points.push_back({row.epoch, judged_score(row.accuracies)});
    words.push_back(first_and_last(names[i], points, "epoch"));
    figure.chart.series.push_back({names[i], thinned(points)});
  }
  figure.words = joined("Per cent", words);
  return figure;
}

std::string percent(double value) { return std::isfinite(value) ? fmt::format("{:.2f}", value) : "–"; }

double median_throughput(const RunRecord& run) {
  Points points = finite(against_step(step_rows(run), &MetricsRow::images_per_s));
  if (points.empty()) return kMissing;
  const auto middle = points.begin() + static_cast<std::ptrdiff_t>(points.size() / 2);
  std::nth_element(points.begin(), middle, points.end(), [](auto& a, auto& b) { return a.y < b.y; });
  return middle->y;
}
}  // namespace autodidact::train
