#include "ops/weighted_sum.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

testing::OpCase three_terms() {
  return {.build =
              [](Graph& graph) {
                std::vector<ValueId> inputs;
                for (const char* name : {"l1", "l2", "l3", "c1", "c2", "c3"})
                  inputs.push_back(graph.input(name, {}, Role::scalar));
                return engine::apply(graph, "L", ops::WeightedSum(3), inputs);
              },
          .differentiate = {"l1", "l2", "l3"},
          .values = {{"l1", {4.6}},
                     {"l2", {2.3}},
                     {"l3", {70.0}},
                     {"c1", {1.0}},
                     {"c2", {0.7}},
                     {"c3", {0.03}}}};
}
}  // namespace

TEST_CASE("weighted_sum: the gradient is the derivative of the sum") {
  CHECK(testing::finite_difference_error(three_terms()) <= testing::kSmoothTolerance);
}

TEST_CASE("weighted_sum: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(three_terms())) <= testing::kF32Tolerance);
}

TEST_CASE("weighted_sum: it is linear, L = sum of loss times gradient at dL = 1") {
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    const auto result = testing::run(three_terms(), backend);
    CHECK(result.at("y").front() == doctest::Approx(4.6 + 0.7 * 2.3 + 0.03 * 70));
    const double unit = result.at("d/l1").front();  // dL, because the first weight is 1
    CHECK(unit != 0);
    CHECK(result.at("d/l2").front() == doctest::Approx(0.7 * unit));
    CHECK(result.at("d/l3").front() == doctest::Approx(0.03 * unit));
  }
}

TEST_CASE("weighted_sum: only wanted gradients are written") {
  auto op = three_terms();
  op.differentiate = {"l3"};
  CHECK(testing::worst(testing::fast_errors(op)) <= testing::kF32Tolerance);
  const auto result = testing::run(op, engine::Backend::fast);
  CHECK(result.count("d/l3") == 1);
  CHECK(result.count("d/l1") == 0);
}

TEST_CASE("weighted_sum: bad shapes are refused by name") {
  CHECK_THROWS_WITH_AS(ops::WeightedSum(0), "[weighted_sum] must have at least one term, got 0",
                       std::invalid_argument);
  Graph graph;
  const ValueId one = graph.input("one", {}, Role::scalar);
  const ValueId vector = graph.input("vector", {8}, Role::scalar);
  CHECK_THROWS_WITH_AS(
      engine::apply(graph, "loss/total", ops::WeightedSum(2), {one, vector, one, one}),
      "[weighted_sum loss/total] loss 2 must be one number, got (8)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(engine::apply(graph, "loss/total", ops::WeightedSum(2), {one, one, one}),
                       "[weighted_sum loss/total] takes 4 inputs, got 3", std::invalid_argument);
}

TEST_CASE("weighted_sum: every broken formula is noticed") {
  testing::check_mutants(three_terms(), {"weighted_sum.reference.L", "weighted_sum.reference.dl"},
                         {"weighted_sum.fast.L", "weighted_sum.fast.dl"}, 1e-3);
}
