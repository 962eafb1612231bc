#include "data/synthetic.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace autodidact::data;

namespace {

std::vector<double> image_of(const Dataset& data, std::size_t i) {
  std::vector<std::uint8_t> image(data.shape().bytes());
  data.copy_image(i, image);
  return {image.begin(), image.end()};
}

double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

}  // namespace

TEST_CASE("synthetic classes can be learned: the nearest class mean is right nine times in ten") {
  const SyntheticOptions options{.train_samples = 400, .side = 16, .classes = 8};
  const auto train = make_synthetic(options, Half::train),
             test = make_synthetic(options, Half::test);
  REQUIRE(test->size() == 80);
  std::vector<std::vector<double>> means(8, std::vector<double>(train->shape().bytes()));
  for (std::size_t i = 0; i < train->size(); ++i) {
    const auto image = image_of(*train, i);
    auto& mean = means[static_cast<std::size_t>(train->label(i))];
    for (std::size_t p = 0; p < image.size(); ++p) mean[p] += image[p] / 50;
  }
  int right = 0;
  for (std::size_t i = 0; i < test->size(); ++i) {
    const auto image = image_of(*test, i);
    std::size_t best = 0;
    for (std::size_t q = 1; q < 8; ++q) {
      if (squared_distance(image, means[q]) < squared_distance(image, means[best])) best = q;
    }
    right += static_cast<int>(best) == test->label(i);
  }
  CHECK(right >= 72);
}

TEST_CASE("synthetic data is a function of its options, and its halves differ") {
  const SyntheticOptions options{.train_samples = 20, .channels = 1, .side = 9, .classes = 3};
  const auto once = make_synthetic(options, Half::train),
             again = make_synthetic(options, Half::train);
  CHECK(once->shape() == ImageShape{1, 9, 9});
  CHECK(once->size() == 20);
  CHECK(once->label(4) == 1);
  CHECK(image_of(*once, 7) == image_of(*again, 7));
  CHECK(image_of(*once, 0) != image_of(*once, 3));  // the same class
  CHECK(image_of(*once, 0) != image_of(*make_synthetic(options, Half::test), 0));
  auto other = options;
  other.seed = 1;
  CHECK(image_of(*once, 0) != image_of(*make_synthetic(other, Half::train), 0));
  other = options;
  other.train_samples = 10;  // fewer samples are the first of more
  CHECK(image_of(*once, 9) == image_of(*make_synthetic(other, Half::train), 9));
}

TEST_CASE("synthetic options out of range are refused") {
  CHECK_THROWS_WITH_AS(make_synthetic({.classes = 1}, Half::train),
                       "synthetic: classes must be 2 to 1000, got 1", std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_synthetic({.train_samples = 5}, Half::train),
                       "synthetic: the number of samples must be 10 to 349525, got 5",
                       std::invalid_argument);
  CHECK_THROWS_AS(make_synthetic({.channels = 0}, Half::train), std::invalid_argument);
  CHECK_THROWS_AS(make_synthetic({.side = 3}, Half::train), std::invalid_argument);
}
