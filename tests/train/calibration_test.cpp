// The choice of a policy, on made-up logits and times whose best answer is known.
#include "train/calibration.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace {
using namespace autodidact;
using namespace autodidact::train;

constexpr std::size_t kImages = 240;
constexpr std::int64_t kBatch = 24;

// Every stage and exit takes 1 ms for any batch, the hand-over 0.1; the trunk alone 4.2.
RungCosts even(std::int64_t images) {
  return {.images = images, .trunk = 4.2, .hand_over = {.1, .1, .1, .1}, .stage = {1, 1, 1, 1}, .head = {1, 1, 1, 1}};
}
ExitCosts costs_by_size() {
  std::vector<RungCosts> rungs;
  for (const std::int64_t images : ladder(kBatch)) {
    RungCosts rung = even(images);
    const double part = static_cast<double>(images) / kBatch;
    rung.trunk *= part;
    for (auto* times : {&rung.hand_over, &rung.stage, &rung.head})
      for (double& ms : *times) ms *= part;
    rungs.push_back(rung);
  }
  return ExitCosts(rungs);
}

// Exit 1 is sure of, and right about, every second image, and less sure and wrong about the others. Exits 2 and 3 know nothing. Exit 4 is
// always right.
Observations half_is_easy() {
  Observations seen;
  seen.full.classes = 2;
  seen.full.left_at.assign(kImages, 4);
  for (std::size_t i = 0; i < kImages; ++i) {
    const float way = i % 4 < 2 ? 1.0F : -1.0F;  // which class
    const bool easy = i % 2 == 0;
    seen.labels.push_back(way > 0 ? 0 : 1);
    const auto add = [&](std::size_t exit, float z) { seen.full.logits[exit - 1].insert(seen.full.logits[exit - 1].end(), {z, 0}); };
    add(1, easy ? 9 * way : -0.1F * way * (1 + static_cast<float>(i) / kImages));
    add(2, -0.5F * way);
    add(3, -0.5F * way);
    add(4, 5 * way);
  }
  return seen;
}
}  // namespace

TEST_CASE("exit costs: between rungs by a straight line, beyond in proportion; a batch is the sum of what its images reach") {
  RungCosts small = even(4), large = even(8);
  large.trunk = 8.2;
  large.stage = {5, 6, 7, 8};
  const ExitCosts costs({large, small});
  CHECK(costs.rungs().front().images == 4);
  CHECK(costs.trunk_ms(1) == doctest::Approx(4.2));
  CHECK(costs.trunk_ms(6) == doctest::Approx(6.2));
  CHECK(costs.trunk_ms(16) == doctest::Approx(16.4));
  CHECK(costs.segment_ms({0, 4, 4}, 8) == doctest::Approx(8.2));            // the trunk as it was measured, not summed
  CHECK(costs.segment_ms({0, 2, 2}, 8) == doctest::Approx(.1 + 5 + 6 + 1));
  CHECK(costs.segment_ms({2, 4, 4}, 8) == doctest::Approx(.1 + 7 + 8 + 1));
  CHECK(costs.segment_ms({2, 3, 0}, 8) == doctest::Approx(.1 + 7));         // no exit
  // Of eight images three go on: in a batch of four.
  const auto segments = chain(std::vector{2});
  CHECK(costs.batch_ms(segments, 8, std::vector{2, 4, 2, 4, 2, 4, 2, 2}) == doctest::Approx(12.1 + .1 + 1 + 1 + 1));
  CHECK(costs.batch_ms(segments, 8, std::vector<int>(8, 2)) == doctest::Approx(12.1));
  CHECK_THROWS_AS(ExitCosts({}), std::invalid_argument);
  CHECK_THROWS_AS(ExitCosts({even(4), even(4)}), std::invalid_argument);
  CHECK_THROWS_AS(ExitCosts({even(0)}), std::invalid_argument);
  small.head[2] = -1;
  CHECK_THROWS_AS(ExitCosts({small}), std::invalid_argument);
}

TEST_CASE("calibration: it finds the exit that is right when it is sure, and skips those that are not") {
  const Observations seen = half_is_easy();
  for (const Measure measure : kMeasures) {
    CAPTURE(name_of(measure));
    const Calibration result = calibrate(seen, costs_by_size(), kBatch, {.accuracy_drop = 0, .measures = {measure}});
    REQUIRE(result.chosen.policy.exits.size() == 1);
    CHECK(result.chosen.policy.exits[0].exit == 1);
    CHECK(result.chosen.policy.measure == measure);
    CHECK(result.chosen.policy.otherwise == Otherwise::exit4);
    CHECK(result.chosen.accuracy == doctest::Approx(100));
    // A whole batch through stage and exit 1, half of it through the rest: 2.1 + (0.1 + 3 + 1) / 2 of 4.2.
    CHECK(result.chosen.relative_time == doctest::Approx((2.1 + 4.1 / 2) / 4.2));
    CHECK(result.validation.share_per_exit[0] == doctest::Approx(0.5));
    CHECK(result.validation.share_per_exit[3] == doctest::Approx(0.5));
    CHECK(result.validation.full.exits[0] == doctest::Approx(50));
    CHECK(result.validation.full.exits[3] == doctest::Approx(100));
    CHECK(result.validation.trunk_ms_per_image == doctest::Approx(4.2 / kBatch));
    CHECK(result.validation.ms_per_image == doctest::Approx(result.chosen.relative_time * 4.2 / kBatch));
  }
}

TEST_CASE("calibration: the frontier falls in time and accuracy together, and is what its policies do") {
  const Observations seen = half_is_easy();
  const ExitCosts costs = costs_by_size();
  const Calibration result = calibrate(seen, costs, kBatch, {});
  REQUIRE(result.frontier.size() >= 3);
  double trunk_ms = 0;
  for (std::size_t i = 0; i < kImages; i += kBatch) trunk_ms += costs.trunk_ms(kBatch);
  for (std::size_t i = 0; i < result.frontier.size(); ++i) {
    const FrontierPoint& point = result.frontier[i];
    if (i > 0) {
      CHECK(point.relative_time > result.frontier[i - 1].relative_time);
      CHECK(point.accuracy > result.frontier[i - 1].accuracy);
    }
    // Counted anew, image by image and batch by batch.
    CascadeResult went = seen.full;
    went.left_at = departures(point.policy, seen.full);
    double ms = 0;
    std::size_t correct = 0;
    for (std::size_t k = 0; k < kImages; ++k) correct += static_cast<std::int32_t>(answer_of(point.policy, went, k).best()) == seen.labels[k];
    for (std::size_t k = 0; k < kImages; k += kBatch)
      ms += costs.batch_ms(chain(point.policy.early_exits()), kBatch, std::span(went.left_at).subspan(k, kBatch));
    CHECK(point.accuracy == doctest::Approx(100.0 * static_cast<double>(correct) / kImages));
    CHECK(point.relative_time == doctest::Approx(ms / trunk_ms));
  }
  CHECK(result.frontier.back().accuracy == doctest::Approx(100));
}

TEST_CASE("calibration: where early exits cost more than they save, the trunk alone is kept") {
  ExitCosts costs = costs_by_size();
  std::vector<RungCosts> dear(costs.rungs().begin(), costs.rungs().end());
  for (RungCosts& rung : dear) rung.head = {50, 50, 50, rung.head[3]};
  const Calibration result = calibrate(half_is_easy(), ExitCosts(dear), kBatch, {.accuracy_drop = 0.5});
  CHECK(result.chosen.policy.exits.empty());
  CHECK(result.chosen.relative_time == doctest::Approx(1));
}

TEST_CASE("calibration: a budget takes the most accurate policy that keeps it; none is a sentence with the fastest") {
  const Observations seen = half_is_easy();
  const ExitCosts costs = costs_by_size();
  const double trunk = 4.2 / kBatch;
  CHECK(calibrate(seen, costs, kBatch, {.budget_ms = trunk}).chosen.accuracy == doctest::Approx(100));
  const Calibration tight = calibrate(seen, costs, kBatch, {.budget_ms = 0.6 * trunk});
  CHECK(tight.validation.ms_per_image <= 0.6 * trunk);
  CHECK(tight.chosen.accuracy < 100);
  CHECK(tight.chosen.accuracy > 50);
  CHECK_THROWS_AS(calibrate(seen, costs, kBatch, {.budget_ms = 1e-3 * trunk}), std::invalid_argument);
  CHECK_THROWS_AS(calibrate(seen, costs, kBatch, {.budget_ms = 0}), std::invalid_argument);
  CHECK_THROWS_AS(calibrate(seen, costs, kBatch, {.accuracy_drop = -1}), std::invalid_argument);
  CHECK_THROWS_AS(calibrate({}, costs, kBatch, {}), std::invalid_argument);
}
