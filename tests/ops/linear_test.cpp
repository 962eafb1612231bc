#include "ops/linear.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

constexpr std::int64_t kSamples = 5, kFeatures = 37,
                       kClasses = 21;  // rows that end within a vector

testing::OpCase linear(std::int64_t samples = kSamples) {
  return {.build =
              [=](Graph& graph) {
                return engine::apply(graph, "y", ops::Linear(),
                                     {graph.input("x", {samples, kFeatures}, Role::activation),
                                      graph.parameter("w", {kClasses, kFeatures}),
                                      graph.parameter("b", {kClasses})});
              },
          .differentiate = {"x"}};
}

ValueId node_of(Shape x, Shape w, Shape b) {
  Graph graph;
  return engine::apply(
      graph, "fc4", ops::Linear(),
      {graph.input("x", x, Role::activation), graph.parameter("w", w), graph.parameter("b", b)});
}
}  // namespace

TEST_CASE("linear: the gradient is the derivative") {
  CHECK(testing::finite_difference_error(linear()) <= testing::kSmoothTolerance);
}

TEST_CASE("linear: fast is the reference, for many samples and for one") {
  CHECK(testing::worst(testing::fast_errors(linear())) <= testing::kF32Tolerance);
  CHECK(testing::worst(testing::fast_errors(linear(1))) <= testing::kF32Tolerance);
}

TEST_CASE("linear: with equal samples, dw is the outer product of db and the sample") {
  auto op = linear();
  for (std::int64_t i = 0; i < kSamples * kFeatures; ++i)
    op.values["x"].push_back(static_cast<double>(i % kFeatures) / 4 - 3);
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    const auto result = testing::run(op, backend);
    const auto &dw = result.at("d/w"), &db = result.at("d/b"), &x = op.values["x"];
    std::vector<double> outer;
    for (const double gradient : db)
      for (std::size_t c = 0; c < kFeatures; ++c) outer.push_back(gradient * x[c]);
    CHECK(engine::relative_error(dw, outer) <= testing::kF32Tolerance);
  }
}

TEST_CASE("linear: bad shapes are named") {
  CHECK_THROWS_WITH_AS(node_of({2, 3, 4, 4}, {5, 3}, {5}),
                       "[linear fc4] x must be (N,C) and not empty, got (2,3,4,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 3}, {5, 4}, {5}),
                       "[linear fc4] w must be (Q,3) for x (2,3), got (5,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 3}, {5, 3}, {4}),
                       "[linear fc4] b must be (5) for w (5,3), got (4)", std::invalid_argument);
}

TEST_CASE("linear: every mutant is caught") {
  testing::check_mutants(
      linear(),
      {"linear.reference.y", "linear.reference.dx", "linear.reference.dw", "linear.reference.db"},
      {"linear.fast.y", "linear.fast.dx", "linear.fast.dw", "linear.fast.db"},
      testing::kF32Tolerance);
}
