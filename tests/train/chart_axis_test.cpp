#include "train/chart_axis.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace autodidact::train;

TEST_CASE("ticks are round numbers inside the range") {
  CHECK(nice_ticks({0, 100}, 5) == std::vector<double>{0, 20, 40, 60, 80, 100});
  CHECK(nice_ticks({3, 9.9}, 4) == std::vector<double>{4, 6, 8});
  CHECK(nice_ticks({-1, 1}, 4) == std::vector<double>{-1, -0.5, 0, 0.5, 1});
}

TEST_CASE("an axis of epochs has whole ticks, also a short one") {
  CHECK(nice_ticks({1, 3}, 10, 1) == std::vector<double>{1, 2, 3});
  for (const double last : {2.0, 7.0, 11.0, 25.0, 250.0}) {
    for (const double tick : nice_ticks({1, last}, 9, 1)) CHECK(tick == std::floor(tick));
  }
}

TEST_CASE("every range has a few ticks, however small or far from zero") {
  for (const AxisRange range :
       {AxisRange{0, 1e-12}, AxisRange{1e15, 1e15 + 1e7}, AxisRange{-1e90, 1e90},
        AxisRange{0.099, 0.1}, AxisRange{-7, 1e-3}}) {
    for (const int count : {2, 5, 9}) {
      const std::vector<double> ticks = nice_ticks(range, count);
      CHECK(ticks.size() >= 1);
      CHECK(ticks.size() <= 10);
    }
  }
}

TEST_CASE("a range that is rounded outwards ends on ticks") {
  const AxisRange range = rounded_outwards({43.2, 91.7}, 6);
  CHECK(range.low == 40);
  CHECK(range.high == 100);
  CHECK(nice_ticks(range, 6).front() == 40);
  CHECK(nice_ticks(range, 6).back() == 100);
}

TEST_CASE("an axis always has a length") {
  CHECK(range_of({}).high > range_of({}).low);
  for (const double value : {0.0, 1.0, -5.0, 1e-20, 0.3, 1e50}) {
    const std::vector<double> values{value, value};
    const AxisRange range = range_of(values);
    CHECK(range.low < value);
    CHECK(range.high > value);
  }
}
