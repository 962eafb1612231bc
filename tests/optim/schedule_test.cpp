#include "optim/schedule.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

namespace {
using namespace autodidact;
using optim::ScheduleKind;
using Milestones = std::vector<int>;
}  // namespace

TEST_CASE("schedule: thirds, and ten epochs before the end only where that is later") {
  const Milestones expected[] = {{},     {1},    {1, 2}, {1, 2}, {1, 3}, {2, 4}, {2, 4},
                                 {2, 5}, {3, 6}, {3, 6}, {3, 7}, {4, 8}, {4, 8}};  // E = 1 … 13
  for (int epochs = 1; epochs <= 13; ++epochs) {
    CAPTURE(epochs);
    CHECK(optim::thirds_milestones(epochs) == expected[epochs - 1]);
  }
  CHECK(optim::thirds_milestones(30) == Milestones{10, 20});
  CHECK(optim::thirds_milestones(31) == Milestones{10, 20, 21});
  CHECK(optim::thirds_milestones(250) == Milestones{83, 166, 240});
}

TEST_CASE("schedule: compat takes the three as a set") {
  const Milestones expected[] = {{},     {1},    {1, 2}, {1, 2},    {1, 3},    {2, 4},   {2, 4},
                                 {2, 5}, {3, 6}, {3, 6}, {1, 3, 7}, {2, 4, 8}, {3, 4, 8}};
  for (int epochs = 1; epochs <= 13; ++epochs) {
    CAPTURE(epochs);
    CHECK(optim::thirds_milestones_compat(epochs) == expected[epochs - 1]);
  }
  CHECK(optim::thirds_milestones_compat(15) == Milestones{5, 10});  // E−10 coincides with E//3
  CHECK(optim::thirds_milestones_compat(20) == Milestones{6, 10, 13});
  CHECK(optim::thirds_milestones_compat(250) == Milestones{83, 166, 240});
}

TEST_CASE("schedule: 75, 130, 180 scale with the number of epochs") {
  CHECK(optim::scaled_milestones(200) == Milestones{75, 130, 180});
  CHECK(optim::scaled_milestones(250) == Milestones{93, 162, 225});
  CHECK(optim::scaled_milestones(10) == Milestones{3, 6, 9});
  CHECK(optim::scaled_milestones(2) == Milestones{1});
  CHECK(optim::scaled_milestones(1).empty());
}

TEST_CASE("schedule: recipe divides by ten at each milestone") {
  const optim::Schedule schedule(
      {.learning_rate = 0.1, .epochs = 250, .milestones = {166, 83, 240}});
  CHECK(schedule.learning_rate(0, 0, 391) == 0.1);
  CHECK(schedule.learning_rate(82, 390, 391) == 0.1);
  CHECK(schedule.learning_rate(83, 0, 391) == doctest::Approx(0.01));
  CHECK(schedule.learning_rate(166, 0, 391) == doctest::Approx(0.001));
  CHECK(schedule.learning_rate(249, 390, 391) == doctest::Approx(0.0001));
}

TEST_CASE("schedule: cosine falls from the rate towards 0, once an epoch") {
  const optim::Schedule schedule({.kind = ScheduleKind::cosine, .learning_rate = 0.2, .epochs = 4});
  CHECK(schedule.learning_rate(0, 9, 10) == 0.2);
  CHECK(schedule.learning_rate(1, 0, 10) == doctest::Approx(0.1 * (1 + std::sqrt(0.5))));
  CHECK(schedule.learning_rate(2, 0, 10) == doctest::Approx(0.1));
  CHECK(schedule.learning_rate(3, 9, 10) == doctest::Approx(0.1 * (1 - std::sqrt(0.5))));
  CHECK(schedule.learning_rate(4, 0, 10) == schedule.learning_rate(3, 0, 10));
}

TEST_CASE("schedule: warmup is a straight line, step by step, and cosine starts behind it") {
  for (const ScheduleKind kind :
       {ScheduleKind::recipe, ScheduleKind::cosine, ScheduleKind::constant}) {
    const optim::Schedule schedule(
        {.kind = kind, .learning_rate = 1, .epochs = 6, .warmup_epochs = 2, .milestones = {4}});
    CHECK(schedule.learning_rate(0, 0, 5) == doctest::Approx(0.1));
    CHECK(schedule.learning_rate(0, 4, 5) == doctest::Approx(0.5));
    CHECK(schedule.learning_rate(1, 4, 5) == 1);
    CHECK(schedule.learning_rate(2, 0, 5) == 1);
    const double later[] = {0.1, 0.5, 1};
    CHECK(schedule.learning_rate(4, 0, 5) == doctest::Approx(later[static_cast<int>(kind)]));
  }
}

TEST_CASE("schedule: names are known, impossible options refused") {
  for (const ScheduleKind kind :
       {ScheduleKind::recipe, ScheduleKind::cosine, ScheduleKind::constant})
    CHECK(optim::schedule_by_name(optim::name_of(kind)) == kind);
  CHECK_THROWS_WITH_AS(optim::schedule_by_name("step"),
                       "there is no schedule 'step': recipe, cosine or constant",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(optim::Schedule({.learning_rate = 0}),
                       "learning rate must be above 0 and finite, got 0", std::invalid_argument);
  CHECK_THROWS_WITH_AS(optim::Schedule({.epochs = 0}), "a schedule has at least 1 epoch, got 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(optim::Schedule({.epochs = 5, .warmup_epochs = 6}),
                       "warmup must last 0 to 5 epochs, got 6", std::invalid_argument);
}
