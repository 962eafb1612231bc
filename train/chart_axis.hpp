// Where the axes of a chart begin and end, and at which round numbers they are labelled.
#pragma once

#include <span>
#include <vector>

namespace autodidact::train {

struct AxisRange {
  double low = 0;
  double high = 1;
};

/// From the smallest to the largest of `values` (finite), widened where these nearly coincide, as an axis needs a length.
/// [0, 1] without values.
AxisRange range_of(std::span<const double> values);

/// The smallest range around `range` whose ends are ticks, with about `count` steps.
AxisRange rounded_outwards(AxisRange range, int count);

/// The labelled values: about `count` of them, all inside `range`, multiples of a step that is 1, 2, 2.5 or 5 times a
/// power of ten. With `min_step` 1 they are whole numbers (epochs).
std::vector<double> nice_ticks(AxisRange range, int count, double min_step = 0);

}  // namespace autodidact::train
