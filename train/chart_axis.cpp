#include "train/chart_axis.hpp"

#include <algorithm>
#include <cmath>

namespace autodidact::train {
namespace {

/// Below this share of its values an axis is all rounding error.
constexpr double kSmallestSpan = 1e-9;
/// In steps: a tick that rounding pushed out of the range by a hair is still a tick.
constexpr double kHair = 1e-6;

double nice_step(AxisRange range, int count, double min_step) {
  const double rough = std::max((range.high - range.low) / std::max(1, count), min_step);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    const double step = factor * power;
    const bool allowed = min_step < 1 || step == std::floor(step);
    if (allowed && step >= rough * (1 - kHair)) return step;
  }
  return 10 * power;
}

}  // namespace

AxisRange range_of(std::span<const double> values) {
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double magnitude = std::max(std::abs(*low), std::abs(*high));
  if (*high - *low > kSmallestSpan * magnitude) return {*low, *high};
  const double margin =
      magnitude > 0 && magnitude < 1 ? magnitude : std::max(1.0, 1e-3 * magnitude);
  return {*low - margin, *high + margin};
}

AxisRange rounded_outwards(AxisRange range, int count) {
  const double step = nice_step(range, count, 0);
  return {std::floor(range.low / step + kHair) * step, std::ceil(range.high / step - kHair) * step};
}

std::vector<double> nice_ticks(AxisRange range, int count, double min_step) {
  const double step = nice_step(range, count, min_step);
  const double last = std::floor(range.high / step + kHair);
  std::vector<double> ticks;
  // + 0.0 turns the −0 below the axis' middle into 0, which is how it should be labelled.
  for (double i = std::ceil(range.low / step - kHair); i <= last; ++i)
    ticks.push_back(i * step + 0.0);
  return ticks;
}

}  // namespace autodidact::train
