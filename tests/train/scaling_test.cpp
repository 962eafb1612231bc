#include "train/scaling.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/random.hpp"

using namespace autodidact;
using train::simulated_seconds, train::task_scaling, train::TaskScaling;

TEST_CASE("scaling: what two times say of a task, by Amdahl's law") {
  CHECK(task_scaling(8, 4, 2).serial_ms == 0);       // halves
  CHECK(task_scaling(8, 8, 2).divisible_ms == 0);    // gains nothing
  CHECK(task_scaling(8, 5, 2).ms(1) == 8);
  CHECK(task_scaling(8, 5, 2).ms(2) == 5);
  CHECK(task_scaling(8, 5, 2).ms(4) == 3.5);
  CHECK(task_scaling(8, 3, 2).ms(8) == 1);           // better than halved counts as halved
  CHECK(task_scaling(4, 6, 2).ms(8) == 6);           // worse than alone stays as bad
}

TEST_CASE("scaling: wide phases add up, of a split phase the slowest lane counts") {
  const train::StepScaling step{{{{}, {0}, {1}, {1}, {1}}, {0, 1, 2, 3, 4}}, {0, 0, 1, 2, 3}, {{1, 6}, {2, 0}, {0, 6}, {0, 9}, {3, 0}}};
  const double wide = 1 + 6.0 / 2 + 2;
  const auto side_by_side = engine::Branches::side_by_side, in_turn = engine::Branches::in_turn, automatic = engine::Branches::automatic;
  CHECK(simulated_seconds(step, {2, 1, 2}, side_by_side) == doctest::Approx((wide + 9) / 1000));  // 3 follows 6: 9, as the other lane
  CHECK(simulated_seconds(step, {2, 1, 2}, in_turn) == doctest::Approx((wide + 3 + 4.5 + 3) / 1000));
  CHECK(simulated_seconds(step, {2, 1, 2}, automatic) == doctest::Approx((wide + 9) / 1000));
  CHECK(simulated_seconds(step, {9, 3, 3}, side_by_side) == doctest::Approx((1 + 6.0 / 9 + 2 + 3) / 1000));  // 2, 3 and 3
  CHECK(simulated_seconds(step, {9, 1, 1}, automatic) == doctest::Approx((1 + 6.0 / 9 + 2 + 6.0 / 9 + 1 + 3) / 1000));
  CHECK(simulated_seconds(step, {1, 1, 1}, side_by_side) == doctest::Approx((9 + 18) / 1000.0));
}

TEST_CASE("scaling: what the trunk does alone before a branch runs beside it, if that is automatic and takes less time") {
  // The trunk's first task, on which all else waits; two more of it; a branch.
  const train::StepScaling step{{{{}, {0}, {1}, {0}}, {0, 1, 2, 3}}, {0, 0, 0, 1}, {{0, 6}, {3, 1}, {2, 1}, {0, 8}}};
  CHECK(simulated_seconds(step, {2, 1, 2}, engine::Branches::side_by_side) == doctest::Approx((3 + 3.5 + 2.5 + 8) / 1000));
  CHECK(simulated_seconds(step, {2, 1, 2}, engine::Branches::in_turn) == doctest::Approx((3 + 3.5 + 2.5 + 4) / 1000));
  CHECK(simulated_seconds(step, {2, 1, 2}, engine::Branches::automatic) == doctest::Approx((3 + 8) / 1000.0));  // 4 and 3 beside 8
  CHECK(simulated_seconds(step, {1, 1, 1}, engine::Branches::automatic) == doctest::Approx((6 + 4 + 3 + 8) / 1000.0));
}

TEST_CASE("scaling: every task of a step is timed, and one thread is refused") {
  constexpr std::int64_t kBatch = 8;
  train::TrainerOptions options;
  options.network = {.classes = 10, .image_height = 16, .image_width = 16, .width = 4};
  options.recipe = model::recipe_by_name("seed");
  options.programs.choose = engine::Choose::fixed;
  engine::Random random(5, engine::Purpose::probe);
  std::vector<float> images(static_cast<std::size_t>(kBatch * 3 * 16 * 16));
  for (float& pixel : images) pixel = static_cast<float>(random.normal());
  const std::vector<std::int32_t> labels(kBatch, 3);
  const data::Batch batch{.images = images, .labels = labels, .count = kBatch};

  engine::Lanes single(1), pair(2);
  CHECK_THROWS_AS(train::measure_scaling(options, batch, single, 1), std::invalid_argument);
  if (pair.layout().wide < 2) return;
  const auto step = train::measure_scaling(options, batch, pair, 2);
  REQUIRE(step.tasks.size() >= 300);
  for (const TaskScaling& task : step.tasks) CHECK(task.ms(1) > 0);
  const auto seconds = [&](int threads) { return simulated_seconds(step, engine::Lanes::layout_for(threads), engine::Branches::automatic); };
  CHECK(seconds(64) < seconds(1));
  CHECK(std::any_of(step.branch.begin(), step.branch.end(), [](int branch) { return branch > 0; }));
}
