#include "train/exit_policy.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace {
using namespace autodidact::train;

// softmax = 1/2, 1/4, 1/4
const std::vector<float> kHalf = {static_cast<float>(std::log(2.0)), 0, 0};
const std::vector<float> kEven = {7, 7, 7};
const std::vector<float> kCertain = {0, 1000, 0};
constexpr double kNever = std::numeric_limits<double>::max();

CascadeResult one_image(int left_at) {
  return {.left_at = {left_at}, .logits = {{{1, 0, 0}, {0, 4, 0}, {0, 0, 9}, {3, 0, 3.5F}}}, .classes = 3};
}
}  // namespace

TEST_CASE("exit policy: the three measures, by hand") {
  CHECK(sureness(Measure::max_softmax, kHalf) == doctest::Approx(0.5));
  CHECK(sureness(Measure::margin, kHalf) == doctest::Approx(0.25));
  CHECK(sureness(Measure::entropy, kHalf) == doctest::Approx(1.5 * std::log(2.0)));
  CHECK(sureness(Measure::max_softmax, kEven) == doctest::Approx(1.0 / 3));
  CHECK(sureness(Measure::margin, kEven) == doctest::Approx(0));
  CHECK(sureness(Measure::entropy, kEven) == doctest::Approx(std::log(3.0)));
  CHECK(sureness(Measure::max_softmax, kCertain) == 1);
  CHECK(sureness(Measure::margin, kCertain) == 1);
  CHECK(sureness(Measure::entropy, kCertain) == 0);  // 0 · ln 0 is 0
}

TEST_CASE("exit policy: an image leaves where the exit is sure enough, of entropy where it is small enough") {
  for (const Measure measure : {Measure::max_softmax, Measure::margin}) {
    CHECK(passes(measure, 0.6, 0.5));
    CHECK(passes(measure, 0.5, 0.5));
    CHECK_FALSE(passes(measure, 0.4, 0.5));
  }
  CHECK(passes(Measure::entropy, 0.4, 0.5));
  CHECK(passes(Measure::entropy, 0.5, 0.5));
  CHECK_FALSE(passes(Measure::entropy, 0.6, 0.5));
  const ExitPolicy policy{.measure = Measure::margin, .exits = {{2, 0.24}}};
  CHECK(leaves(policy, 2, kHalf));
  CHECK_FALSE(leaves(policy, 2, kEven));
  CHECK_FALSE(leaves(policy, 1, kCertain));  // not kept
}

TEST_CASE("exit policy: who answers") {
  const ExitPolicy last{.exits = {{1, kNever}, {3, kNever}}};
  ExitPolicy together = last;
  together.otherwise = Otherwise::ensemble;
  CHECK(answer_of(last, one_image(3), 0).best() == 2);
  CHECK(answer_of(last, one_image(3), 0).exit == 3);
  CHECK(answer_of(together, one_image(1), 0).best() == 0);  // its own answer: it has left
  CHECK_FALSE(answer_of(together, one_image(1), 0).ensemble);
  CHECK(answer_of(last, one_image(4), 0).logits == std::vector<float>{3, 0, 3.5F});
  const Answer all = answer_of(together, one_image(4), 0);  // exits 1, 3, 4: exit 2 was not computed
  CHECK(all.ensemble);
  CHECK(all.exit == 4);
  CHECK(all.logits == std::vector<float>{4.0F / 3, 0, 12.5F / 3});
  together.exits.push_back({4, 0.5});  // softmax of the last exit: 0.62 for class 2
  CHECK_FALSE(answer_of(together, one_image(4), 0).ensemble);
  together.exits.back().threshold = 0.7;
  CHECK(answer_of(together, one_image(4), 0).ensemble);
  CHECK(together.early_exits() == std::vector{1, 3});
}

TEST_CASE("exit policy: classes are ranked by probability, equal ones by index") {
  const auto classes = ranked(kHalf);
  REQUIRE(classes.size() == 3);
  CHECK(classes[0].index == 0);
  CHECK(classes[0].probability == doctest::Approx(0.5));
  CHECK(classes[1].index == 1);
  CHECK(classes[2].index == 2);
}

TEST_CASE("exit policy: what makes no sense is refused") {
  const double nan = std::nan("");
  for (const std::vector<ExitThreshold>& exits : {std::vector<ExitThreshold>{{0, 1}}, {{5, 1}}, {{2, 1}, {1, 1}}, {{2, 1}, {2, 1}}, {{1, -0.1}},
                                                  {{1, nan}}, {{1, std::numeric_limits<double>::infinity()}}})
    CHECK_THROWS_AS(check(ExitPolicy{.exits = exits}), std::invalid_argument);
  CHECK_NOTHROW(check(ExitPolicy{.exits = {{1, 0}, {4, 2.3}}}));
  CHECK_THROWS_AS(measure_by_name("max"), std::invalid_argument);
  CHECK_THROWS_AS(otherwise_by_name("exit3"), std::invalid_argument);
  for (const Measure measure : kMeasures) CHECK(measure_by_name(name_of(measure)) == measure);
}
