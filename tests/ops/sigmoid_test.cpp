#include "ops/sigmoid.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape;

const Shape kPlanes{2, 24, 3, 5};

testing::OpCase sigmoid(Shape shape) {
  return {.build =
              [shape](Graph& graph) {
                return engine::apply(graph, "g", ops::Sigmoid(),
                                     {graph.input("x", shape, Role::activation)});
              },
          .differentiate = {"x"}};
}
}  // namespace

TEST_CASE("sigmoid: the gradient is the derivative") {
  CHECK(testing::finite_difference_error(sigmoid(kPlanes)) <= testing::kSmoothTolerance);
}

TEST_CASE("sigmoid: fast is the reference, for planes and for rows") {
  CHECK(testing::worst(testing::fast_errors(sigmoid(kPlanes))) <= testing::kF32Tolerance);
  CHECK(testing::worst(testing::fast_errors(sigmoid({5, 37}))) <= testing::kF32Tolerance);
}

TEST_CASE("sigmoid: what x and -x give adds up to one, and far out it is 0 and 1") {
  auto op = sigmoid({1, 12});
  op.values["x"] = {0, 0, 1, -1, 5.5, -5.5, 20, -20, 90, -90, 1e30, -1e30};
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    const auto got = testing::run(op, backend);
    const auto& y = got.at("y");
    CHECK(y[0] == 0.5);
    for (std::size_t i = 0; i < y.size(); i += 2) {
      CHECK(y[i] + y[i + 1] == doctest::Approx(1).epsilon(1e-6));
      CHECK(y[i] >= 0.5);
    }
    CHECK(y[10] == 1);
    CHECK(y[11] < 1e-38);
    CHECK(got.at("d/x")[10] == 0);
    for (const double dx : got.at("d/x")) CHECK(std::isfinite(dx));
  }
}

TEST_CASE("sigmoid: padded channels are zero, not a half") {
  CHECK(testing::largest_padding(ops::Sigmoid(), {kPlanes}) == 0);
}

TEST_CASE("sigmoid: an empty tensor is refused by name") {
  Graph graph;
  CHECK_THROWS_WITH_AS(engine::apply(graph, "attention1.sigmoid", ops::Sigmoid(),
                                     {graph.input("x", {2, 0, 4, 4}, Role::activation)}),
                       "[sigmoid attention1.sigmoid] x must not be empty, got (2,0,4,4)",
                       std::invalid_argument);
}

TEST_CASE("sigmoid: every broken formula is noticed") {
  testing::check_mutants(sigmoid(kPlanes), {"sigmoid.reference.y", "sigmoid.reference.dx"},
                         {"sigmoid.fast.y", "sigmoid.fast.dx"}, 1e-3);
}
