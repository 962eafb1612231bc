// Two labels a picture and smoothed labels reach the loss: the cross-entropy of a step is linear in its labels.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "engine/random.hpp"
#include "train/trainer.hpp"

namespace {
using namespace autodidact;

constexpr std::int64_t kClasses = 3, kBatch = 4, kSide = 8;
// f32 sums of a few thousand products, one order for all of them.
constexpr double kTolerance = 1e-5;

class Steps {
 public:
  Steps() : lanes_(1) {
    engine::Random random(1, engine::Purpose::probe);
    for (std::int64_t i = 0; i < kBatch * 3 * kSide * kSide; ++i)
      images_.push_back(static_cast<float>(random.normal()));
  }

  // The cross-entropy of all exits, by fresh weights.
  double loss(const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& second, double weight,
              double smoothing) {
    train::TrainerOptions options;
    options.network.width = 8;
    options.network.classes = kClasses;
    options.network.image_height = options.network.image_width = kSide;
    options.recipe = model::recipe_by_name("seed");
    options.programs.choose = engine::Choose::fixed;
    options.label_smoothing = smoothing;
    train::Trainer trainer(options, lanes_);
    return trainer.step({images_, labels, kBatch, 0, 0, second, weight}, 0.1).ce;
  }

 private:
  engine::Lanes lanes_;
  std::vector<float> images_;
};
}  // namespace

TEST_CASE("trainer: the loss of a mixed batch is that of both labels, by their weights") {
  Steps steps;
  const std::vector<std::int32_t> first = {0, 1, 2, 1}, second = {1, 2, 1, 0};
  const double a = steps.loss(first, {}, 1, 0), b = steps.loss(second, {}, 1, 0);
  CHECK(std::abs(a - b) > 1e-3);
  CHECK(steps.loss(first, second, 0.75, 0) == doctest::Approx(0.75 * a + 0.25 * b).epsilon(kTolerance));
}

TEST_CASE("trainer: smoothing spreads its part of the label over all classes") {
  Steps steps;
  double mean = 0;
  for (std::int32_t q = 0; q < kClasses; ++q) mean += steps.loss(std::vector<std::int32_t>(kBatch, q), {}, 1, 0) / kClasses;
  const std::vector<std::int32_t> labels = {0, 1, 2, 1};
  const double sharp = steps.loss(labels, {}, 1, 0);
  CHECK(steps.loss(labels, {}, 1, 0.2) == doctest::Approx(0.8 * sharp + 0.2 * mean).epsilon(kTolerance));
}
