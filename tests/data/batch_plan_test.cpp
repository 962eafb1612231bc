#include "data/batch_plan.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <vector>

using namespace autodidact::data;

namespace {

std::vector<std::size_t> sizes(std::size_t samples, std::size_t batch, std::size_t min_last) {
  const BatchPlan plan(samples, batch, min_last);
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < plan.count(); ++i) result.push_back(plan.size(i));
  return result;
}

using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("batches keep every sample, and a lonely last one joins the batch before") {
  CHECK(sizes(12, 4, 2) == Sizes{4, 4, 4});
  CHECK(sizes(11, 4, 2) == Sizes{4, 4, 3});
  CHECK(sizes(10, 4, 2) == Sizes{4, 4, 2});
  CHECK(sizes(9, 4, 2) == Sizes{4, 5});
  CHECK(sizes(9, 4, 1) == Sizes{4, 4, 1});
  CHECK(sizes(11, 4, 4) == Sizes{4, 7});
  CHECK(sizes(3, 4, 2) == Sizes{3});
  CHECK(sizes(1, 4, 2) == Sizes{1});  // there is no batch before
  CHECK(sizes(3, 1, 2) == Sizes{1, 1, 1});
}

TEST_CASE("a plan knows its largest and last batch") {
  CHECK(BatchPlan(9, 4, 2).largest() == 5);
  CHECK(BatchPlan(9, 4, 2).last() == 5);
  CHECK(BatchPlan(11, 4, 2).largest() == 4);
  CHECK(BatchPlan(11, 4, 2).last() == 3);
  CHECK(BatchPlan(3, 4, 2).largest() == 3);
  CHECK(BatchPlan(9, 4, 2).begin(1) == 4);
}

TEST_CASE("a plan of nothing is refused") {
  CHECK_THROWS_WITH_AS(
      BatchPlan(0, 4, 2),
      "an epoch of 0 samples cannot be cut into batches of 4 with at least 2 in the last",
      std::invalid_argument);
  CHECK_THROWS_AS(BatchPlan(4, 0, 1), std::invalid_argument);
  CHECK_THROWS_AS(BatchPlan(4, 2, 0), std::invalid_argument);
  CHECK_THROWS_AS(BatchPlan(4, 2, 4), std::invalid_argument);
}
