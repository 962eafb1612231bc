#include "ops/multiply.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

const Shape kPlanes{2, 24, 3, 5};

testing::OpCase product(Shape shape, std::vector<std::string> differentiate = {"x", "g"}) {
  return {.build =
              [shape](Graph& graph) {
                return engine::apply(graph, "y", ops::Multiply(),
                                     {graph.input("x", shape, Role::activation),
                                      graph.input("g", shape, Role::activation)});
              },
          .differentiate = std::move(differentiate)};
}
}  // namespace

TEST_CASE("multiply: the gradients are the derivatives, together and one at a time") {
  for (const auto& differentiate :
       {std::vector<std::string>{"x", "g"}, std::vector<std::string>{"x"}, {"g"}})
    CHECK(testing::finite_difference_error(product(kPlanes, differentiate)) <=
          testing::kSmoothTolerance);
}

TEST_CASE("multiply: fast is the reference, whichever gradients are wanted") {
  for (const auto& differentiate :
       {std::vector<std::string>{"x", "g"}, std::vector<std::string>{"x"}, {"g"}}) {
    CHECK(testing::worst(testing::fast_errors(product(kPlanes, differentiate))) <=
          testing::kF32Tolerance);
    CHECK(testing::worst(testing::fast_errors(product({5, 37}, differentiate))) <=
          testing::kF32Tolerance);
  }
}

TEST_CASE("multiply: x dx and g dg are the same number, dy y") {
  const auto op = product(kPlanes);
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    auto given = op;
    given.values["x"].assign(kPlanes.count(), 3.0);
    given.values["g"].assign(kPlanes.count(), -0.5);
    const auto got = testing::run(given, backend);
    for (std::size_t i = 0; i < got.at("y").size(); ++i) {
      REQUIRE(got.at("y")[i] == -1.5);
      REQUIRE(3.0 * got.at("d/x")[i] == doctest::Approx(-0.5 * got.at("d/g")[i]));
    }
  }
}

TEST_CASE("multiply: a square has twice the gradient") {
  testing::OpCase square{.build =
                             [](Graph& graph) {
                               const ValueId x = graph.input("x", kPlanes, Role::activation);
                               return engine::apply(graph, "y", ops::Multiply(), {x, x});
                             },
                         .differentiate = {"x"}};
  CHECK(testing::finite_difference_error(square) <= testing::kSmoothTolerance);
  CHECK(testing::worst(testing::fast_errors(square)) <= testing::kF32Tolerance);
}

TEST_CASE("multiply: padded channels stay zero") {
  CHECK(testing::largest_padding(ops::Multiply(), {kPlanes, kPlanes}) == 0);
}

TEST_CASE("multiply: unequal shapes are refused by name") {
  Graph graph;
  CHECK_THROWS_WITH_AS(
      engine::apply(graph, "attention2.gate", ops::Multiply(),
                    {graph.input("x", {2, 8, 4, 4}, Role::activation),
                     graph.input("g", {2, 8, 2, 2}, Role::activation)}),
      "[multiply attention2.gate] x and g must have the same shape, got (2,8,4,4) and (2,8,2,2)",
      std::invalid_argument);
}

TEST_CASE("multiply: every broken formula is noticed") {
  testing::check_mutants(product(kPlanes),
                         {"multiply.reference.y", "multiply.reference.dx", "multiply.reference.dg"},
                         {"multiply.fast.y", "multiply.fast.dx", "multiply.fast.dg"}, 1e-3);
}
