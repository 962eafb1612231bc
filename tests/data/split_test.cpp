#include "data/split.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

using namespace autodidact::data;

TEST_CASE("5,000 samples are held out, or a tenth of fewer than 50,000") {
  CHECK(validation_size(60000) == 5000);
  CHECK(validation_size(50000) == 5000);
  CHECK(validation_size(49999) == 4999);
  CHECK(validation_size(100) == 10);
  CHECK(validation_size(5) == 1);
}

TEST_CASE("the parts of a split are sorted, disjoint and complete, and fixed by the seed") {
  const Split split = split_validation(1000, Validation::held_out, 3);
  CHECK(split.train.size() == 900);
  CHECK(split.validation.size() == 100);
  CHECK(std::is_sorted(split.train.begin(), split.train.end()));
  CHECK(std::is_sorted(split.validation.begin(), split.validation.end()));
  std::vector<std::uint32_t> all(1000), together;
  std::iota(all.begin(), all.end(), 0u);
  std::merge(split.train.begin(), split.train.end(), split.validation.begin(),
             split.validation.end(), std::back_inserter(together));
  CHECK(together == all);
  CHECK(split.validation == split_validation(1000, Validation::held_out, 3).validation);
  CHECK(split.validation != split_validation(1000, Validation::held_out, 4).validation);
  // Drawn from everywhere: the mean index of 100 drawn of 1000 has standard error 27.
  const double mean = std::accumulate(split.validation.begin(), split.validation.end(), 0.0) / 100;
  CHECK(std::abs(mean - 499.5) < 5 * 27);
}

TEST_CASE("without validation all samples train, and one sample cannot be split") {
  const Split split = split_validation(7, Validation::none, 3);
  CHECK(split.train == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK(split.validation.empty());
  CHECK_THROWS_WITH_AS(split_validation(1, Validation::held_out, 0),
                       "a validation split needs at least 2 training samples, got 1",
                       std::invalid_argument);
}
