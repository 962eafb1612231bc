#include "ops/relu.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Role, engine::Shape;

testing::OpCase relu(const Shape& shape) {
  return {.build =
              [shape](Graph& graph) {
                return engine::apply(graph, "relu", ops::Relu(),
                                     {graph.input("x", shape, Role::activation)});
              },
          .differentiate = {"x"}};
}
const Shape kImage{2, 24, 5, 3};
}  // namespace

TEST_CASE("relu: the gradient is the derivative, the decision held") {
  CHECK(testing::finite_difference_error(relu(kImage)) <= testing::kSmoothTolerance);
}

TEST_CASE("relu: fast is the reference to the bit, for images and for rows") {
  CHECK(testing::worst(testing::fast_errors(relu(kImage))) <=
        1e-7);  // harness: inputs are f32 numbers
  CHECK(testing::worst(testing::fast_errors(relu({7, 33}))) <= 1e-7);
}

TEST_CASE("relu: applied to its own output it changes nothing, and x = relu(x) - relu(-x)") {
  auto op = relu({1, 5});
  for (const Backend backend : {Backend::reference, Backend::fast}) {
    op.values["x"] = {-2, -0.5, 0, 0.5, 2};
    const auto y = testing::run(op, backend).at("y");
    op.values["x"] = {2, 0.5, 0, -0.5, -2};
    const auto mirrored = testing::run(op, backend).at("y");
    for (std::size_t i = 0; i < 5; ++i) CHECK(mirrored[i] - y[i] == op.values["x"][i]);
    op.values["x"] = y;
    CHECK(testing::run(op, backend).at("y") == y);
  }
}

TEST_CASE("relu: the derivative at 0 is 0, and NaN is not hidden") {
  auto op = relu({1, 3});
  for (const Backend backend : {Backend::reference, Backend::fast}) {
    op.values["x"] = {0, std::numeric_limits<double>::quiet_NaN(), 1};
    const auto results = testing::run(op, backend);
    CHECK(results.at("d/x")[0] == 0);
    CHECK(results.at("d/x")[2] != 0);
    CHECK(std::isnan(results.at("y")[1]));
  }
}

TEST_CASE("relu: a scalar is refused by name") {
  CHECK_THROWS_WITH_AS(testing::run(relu({}), Backend::fast),
                       "[relu relu] x must have at least one axis, got ()", std::invalid_argument);
}

TEST_CASE("relu: every broken formula is noticed") {
  testing::check_mutants(relu(kImage), {"relu.reference.y", "relu.reference.dx"},
                         {"relu.fast.y", "relu.fast.dx"}, 1e-3);
}
