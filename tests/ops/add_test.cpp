#include "ops/add.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "ops/relu.hpp"
#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Role, engine::Shape, engine::ValueId;

testing::OpCase add(const Shape& a, const Shape& b) {
  return {.build =
              [a, b](Graph& graph) {
                return engine::apply(
                    graph, "layer1.0.add", ops::Add(),
                    {graph.input("a", a, Role::activation), graph.input("b", b, Role::activation)});
              },
          .differentiate = {"a", "b"}};
}
const Shape kImage{2, 24, 5, 3};
// One rounding of one sum.
constexpr double kTolerance = 1e-7;
}  // namespace

TEST_CASE("add: the gradient is the derivative") {
  CHECK(testing::finite_difference_error(add(kImage, kImage)) <= testing::kSmoothTolerance);
}

TEST_CASE("add: fast is the reference, for images and for rows, with one gradient and with both") {
  CHECK(testing::worst(testing::fast_errors(add(kImage, kImage))) <= kTolerance);
  CHECK(testing::worst(testing::fast_errors(add({7, 33}, {7, 33}))) <= kTolerance);
  for (const char* wanted : {"a", "b"}) {
    auto op = add(kImage, kImage);
    op.differentiate = {wanted};
    CHECK(testing::worst(testing::fast_errors(op)) <= kTolerance);
  }
}

TEST_CASE("add: a + b = b + a, and both gradients are dy") {
  auto op = add({2, 3}, {2, 3});
  const std::vector<double> a{1, 2, 3, 4, 5, 6}, b{0.5, -1, 0.25, 8, -6, 1};
  for (const Backend backend : {Backend::reference, Backend::fast}) {
    op.values = {{"a", a}, {"b", b}};
    const auto results = testing::run(op, backend);
    CHECK(results.at("d/a") == results.at("d/b"));
    op.values = {{"a", b}, {"b", a}};
    CHECK(testing::run(op, backend).at("y") == results.at("y"));
  }
}

TEST_CASE("add: a gradient that takes over the memory of dy does not spoil the other") {
  testing::OpCase op;
  op.build = [](Graph& graph) {
    const ValueId a =
        engine::apply(graph, "open a", ops::Relu(), {graph.input("a", kImage, Role::activation)});
    const ValueId b =
        engine::apply(graph, "open b", ops::Relu(), {graph.input("b", kImage, Role::activation)});
    return engine::apply(graph, "open", ops::Relu(),
                         {engine::apply(graph, "sum", ops::Add(), {a, b})});
  };
  op.differentiate = {"a", "b"};
  CHECK(testing::worst(testing::fast_errors(op)) <= kTolerance);
}

TEST_CASE("add: bad shapes are refused by name") {
  CHECK_THROWS_WITH_AS(
      testing::run(add({2, 8, 4, 4}, {2, 8, 2, 2}), Backend::fast),
      "[add layer1.0.add] a and b must have the same shape, got (2,8,4,4) and (2,8,2,2)",
      std::invalid_argument);
}

TEST_CASE("add: every broken formula is noticed") {
  testing::check_mutants(add(kImage, kImage),
                         {"add.reference.y", "add.reference.da", "add.reference.db"},
                         {"add.fast.y", "add.fast.da", "add.fast.db"}, 1e-3);
}
