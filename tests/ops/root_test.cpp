#include "ops/root.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

testing::OpCase root_of(double S) {
  return {.build =
              [](Graph& graph) {
                return engine::apply(graph, "d", ops::Root(), {graph.input("S", {}, Role::scalar)});
              },
          .differentiate = {"S"},
          .values = {{"S", {S}}}};
}
}  // namespace

TEST_CASE("root: the gradient is the derivative of the root") {
  CHECK(testing::finite_difference_error(root_of(2.25)) <= testing::kSmoothTolerance);
}

TEST_CASE("root: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(root_of(123.4))) <= testing::kF32Tolerance);
}

TEST_CASE("root: value times gradient does not depend on S, and at 0 both are 0") {
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    const auto a = testing::run(root_of(9.0), backend), b = testing::run(root_of(0.25), backend);
    CHECK(a.at("y").front() == doctest::Approx(3.0));
    CHECK(b.at("y").front() == doctest::Approx(0.5));
    CHECK(a.at("y").front() * a.at("d/S").front() ==
          doctest::Approx(b.at("y").front() * b.at("d/S").front()));
    CHECK(a.at("d/S").front() != 0);
    const auto zero = testing::run(root_of(0.0), backend);
    CHECK(zero.at("y").front() == 0);
    CHECK(zero.at("d/S").front() == 0);
  }
}

TEST_CASE("root: bad shapes are refused by name") {
  Graph graph;
  const ValueId S = graph.input("S", {3}, Role::scalar);
  CHECK_THROWS_WITH_AS(engine::apply(graph, "loss/feature/1", ops::Root(), {S}),
                       "[root loss/feature/1] S must be one number, got (3)",
                       std::invalid_argument);
}

TEST_CASE("root: every broken formula is noticed") {
  testing::check_mutants(root_of(2.25), {"root.reference.d", "root.reference.dS"},
                         {"root.fast.d", "root.fast.dS"}, 1e-3);
}
