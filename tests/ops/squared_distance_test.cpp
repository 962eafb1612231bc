#include "ops/squared_distance.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

constexpr std::int64_t kSamples = 9, kFeatures = 75;  // rows that end within a vector

testing::OpCase distance() {
  return {.build =
              [](Graph& graph) {
                return engine::apply(
                    graph, "s", ops::SquaredDistance(),
                    {graph.input("a", {kSamples, kFeatures}, Role::activation),
                     graph.input("teacher", {kSamples, kFeatures}, Role::activation)});
              },
          .differentiate = {"a"}};
}

ValueId node_of(Shape a, Shape teacher) {
  Graph graph;
  return engine::apply(
      graph, "feature/1", ops::SquaredDistance(),
      {graph.input("a", a, Role::activation), graph.input("teacher", teacher, Role::activation)});
}
}  // namespace

TEST_CASE("squared_distance: the gradient is the derivative of the sum at a fixed teacher") {
  CHECK(testing::finite_difference_error(distance()) <= testing::kSmoothTolerance);
}

TEST_CASE("squared_distance: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(distance())) <= testing::kF32Tolerance);
}

TEST_CASE("squared_distance: the gradient at distance s has the squared norm 4 s (dy)^2") {
  // Whatever dy is: Σda² = 4·dy²·s, and dy is the same for a distance that is 4 times as large in s.
  auto op = distance();
  op.values["teacher"].assign(kSamples * kFeatures, 1.0);
  op.values["a"].assign(kSamples * kFeatures, 1.5);
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    op.values["a"].assign(kSamples * kFeatures, 1.5);
    const auto near = testing::run(op, backend);
    op.values["a"].assign(kSamples * kFeatures, 2.0);
    const auto far = testing::run(op, backend);
    CHECK(near.at("y").front() == doctest::Approx(0.25 * kSamples * kFeatures));
    CHECK(far.at("y").front() == doctest::Approx(1.0 * kSamples * kFeatures));
    CHECK(far.at("d/a").back() == doctest::Approx(2 * near.at("d/a").back()));
    op.values["a"] = op.values["teacher"];
    const auto none = testing::run(op, backend);
    CHECK(none.at("y").front() == 0);
    CHECK(none.at("d/a").front() == 0);
  }
}

TEST_CASE("squared_distance: bad shapes are refused by name") {
  CHECK_THROWS_WITH_AS(node_of({4, 8, 1, 1}, {4, 8, 1, 1}),
                       "[squared_distance feature/1] a must be (N,F), got (4,8,1,1)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({4, 8}, {4, 16}),
                       "[squared_distance feature/1] teacher must be (4,8) as a is, got (4,16)",
                       std::invalid_argument);
}

TEST_CASE("squared_distance: every broken formula is noticed") {
  testing::check_mutants(distance(),
                         {"squared_distance.reference.s", "squared_distance.reference.da"},
                         {"squared_distance.fast.s", "squared_distance.fast.da"}, 1e-3);
}
