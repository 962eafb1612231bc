#include "data/normalisation.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace autodidact::data;

TEST_CASE("mean and deviation are those of all pixels of a channel") {
  // Channel 0: 0, 255, 0, 255 → mean ½, deviation ½. Channel 1: 51, 51, 51, 51 → constant. Channel 2: 0, 51, 102, 153.
  const MemoryDataset data(
      {{3, 1, 2}, {0, 255, 51, 51, 0, 51, 0, 255, 51, 51, 102, 153}, {0, 0}, {"a"}, {}});
  const Normalisation n = measure_normalisation(data);
  CHECK(n.mean == std::vector<float>{0.5f, 0.2f, 0.3f});
  CHECK(n.std[0] == 0.5f);
  CHECK(n.std[1] == 1.0f);
  CHECK(n.std[2] == doctest::Approx(0.22360680));  // √0.05: divided by 4, not by 3
}

TEST_CASE("an empty dataset has no mean") {
  CHECK_THROWS_WITH_AS(measure_normalisation(MemoryDataset({{1, 1, 1}, {}, {}, {"a"}, {}})),
                       "the mean and deviation of an empty dataset are not defined",
                       std::invalid_argument);
}
