#include "data/mixing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

using namespace autodidact::data;
using autodidact::engine::Purpose;
using autodidact::engine::Random;

namespace {

constexpr ImageShape kShape{2, 6, 5};

// Sample n is filled with the number n.
std::vector<float> numbered(std::size_t count) {
  std::vector<float> images;
  for (std::size_t n = 0; n < count; ++n) {
    images.insert(images.end(), kShape.bytes(), static_cast<float>(n));
  }
  return images;
}

}  // namespace

TEST_CASE("Beta(A,A) has its mean, its variance and, for A = 1 and 1/2, its distribution") {
  constexpr int kDraws = 20000;
  for (const double a : {0.05, 0.2, 0.5, 1.0, 2.0, 50.0}) {
    CAPTURE(a);
    Random random(1, Purpose::probe, static_cast<std::uint64_t>(1000 * a));
    std::vector<double> draws;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double draw = draw_beta(a, random);
      REQUIRE((draw >= 0 && draw <= 1));
      draws.push_back(draw);
      sum += draw;
      squares += (draw - 0.5) * (draw - 0.5);
    }
    const double variance = 1 / (4 * (2 * a + 1));
    // Five standard deviations of a mean; the variance's own is at most as large, relative to it, as a normal's.
    CHECK(std::abs(sum / kDraws - 0.5) < 5 * std::sqrt(variance / kDraws));
    CHECK(std::abs(squares / kDraws / variance - 1) < 5 * std::sqrt(2.0 / kDraws));
    if (a != 1 && a != 0.5) continue;
    std::sort(draws.begin(), draws.end());
    double farthest = 0;  // Kolmogorov and Smirnov's distance
    for (int i = 0; i < kDraws; ++i) {
      const double x = draws[static_cast<std::size_t>(i)];
      const double expected = a == 1 ? x : 2 / M_PI * std::asin(std::sqrt(x));
      farthest = std::max(farthest, std::abs(expected - (i + 0.5) / kDraws));
    }
    CHECK(farthest < 2.23 / std::sqrt(kDraws));  // exceeded with probability 1e-4
  }
}

TEST_CASE("mixup adds pairs from the two ends of a batch") {
  auto images = numbered(5);
  mix_images({.weight = 0.75}, images, kShape, 5);
  const float expected[] = {1, 1.5, 2, 2.5, 3};  // .75·n + .25·(4 − n)
  for (std::size_t n = 0; n < 5; ++n) {
    for (std::size_t i = 0; i < kShape.bytes(); ++i) {
      REQUIRE(images[n * kShape.bytes() + i] == expected[n]);
    }
  }
}

TEST_CASE("CutMix swaps a box between pairs, in every channel") {
  auto images = numbered(4);
  mix_images({.weight = 0.8, .box = true, .top = 1, .bottom = 4, .left = 3, .right = 5}, images,
             kShape, 4);
  for (int n = 0; n < 4; ++n) {
    for (int c = 0; c < 2; ++c) {
      for (int y = 0; y < 6; ++y) {
        for (int x = 0; x < 5; ++x) {
          const bool inside = y >= 1 && y < 4 && x >= 3;
          const auto at = static_cast<std::size_t>(((n * 2 + c) * 6 + y) * 5 + x);
          REQUIRE(images[at] == static_cast<float>(inside ? 3 - n : n));
        }
      }
    }
  }
}

TEST_CASE("nothing is mixed where nothing is asked for") {
  auto images = numbered(4);
  const Mix mix = draw_mix({}, kShape, Random(1, Purpose::mixing));
  CHECK(mix.weight == 1);
  mix_images(mix, images, kShape, 4);
  CHECK((images == numbered(4)));
}

TEST_CASE("the weight of CutMix is what its box leaves, and both kinds share the batches evenly") {
  const ImageShape shape{3, 32, 32};
  constexpr int kBatches = 2000;
  int boxes = 0;
  double weights = 0;
  for (std::uint64_t batch = 0; batch < kBatches; ++batch) {
    const Mix mix =
        draw_mix({.mixup = 0.2, .cutmix = 1}, shape, Random(1, Purpose::mixing, 0, batch));
    REQUIRE((mix.weight >= 0 && mix.weight <= 1));
    boxes += mix.box;
    if (!mix.box) continue;
    REQUIRE((mix.top >= 0 && mix.top <= mix.bottom && mix.bottom <= 32));
    REQUIRE((mix.left >= 0 && mix.left <= mix.right && mix.right <= 32));
    CHECK(mix.weight == 1 - (mix.bottom - mix.top) * (mix.right - mix.left) / 1024.0);
    weights += mix.weight;
  }
  CHECK(std::abs(boxes - kBatches / 2) < 4 * std::sqrt(kBatches / 4.0));
  CHECK(weights / boxes > 0.5);  // clipped boxes are smaller than 1 − λ, whose mean is ½
  CHECK(weights / boxes < 0.8);
}

TEST_CASE("CutMix comes with its probability, to batches that mixup leaves to it, and 1 draws nothing") {
  const ImageShape shape{3, 32, 32};
  constexpr int kBatches = 2000;
  const auto draw = [&](const MixingOptions& options, int batch) {
    return draw_mix(options, shape, Random(1, Purpose::mixing, 0, static_cast<std::uint64_t>(batch)));
  };
  int boxes = 0, mixed = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    const Mix mix = draw({.cutmix = 1, .cutmix_probability = 0.25}, batch);
    boxes += mix.box;
    CHECK((mix.box || mix.weight == 1));
    const Mix both = draw({.mixup = 0.2, .cutmix = 1, .cutmix_probability = 0.25}, batch);
    mixed += !both.box && both.weight != 1;
    CHECK_FALSE(draw({.cutmix = 1, .cutmix_probability = 0}, batch).box);
    CHECK(draw({.cutmix = 1, .cutmix_probability = 1}, batch).weight == draw({.cutmix = 1}, batch).weight);
  }
  CHECK(std::abs(boxes - kBatches / 4) < 4 * std::sqrt(kBatches * 3 / 16.0));
  CHECK(std::abs(mixed - kBatches / 2) < 5 * std::sqrt(kBatches / 4.0));  // mixup's half is what it was
}

TEST_CASE("an A that is out of range is refused") {
  CHECK_THROWS_WITH_AS(check_mixing({.cutmix = 1, .cutmix_probability = 1.5}), "the probability of CutMix must be 0 to 1, got 1.5",
                       std::invalid_argument);
  CHECK_NOTHROW(check_mixing({.mixup = 0.001, .cutmix = 1000}));
  CHECK_THROWS_WITH_AS(check_mixing({.mixup = -1}),
                       "the A of mixup must be 0 or 0.001 to 1000, got -1", std::invalid_argument);
  CHECK_THROWS_WITH_AS(check_mixing({.cutmix = NAN}),
                       "the A of CutMix must be 0 or 0.001 to 1000, got nan",
                       std::invalid_argument);
}
