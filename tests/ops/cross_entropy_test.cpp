#include "ops/cross_entropy.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

constexpr std::int64_t kSamples = 7, kClasses = 37;  // rows that end within a vector

ValueId build(Graph& graph) {
  const ValueId z = graph.input("z", {kSamples, kClasses}, Role::activation);
  std::vector<ValueId> inputs{z};
  for (const char* name : {"y1", "y2"})
    inputs.push_back(graph.input(name, {kSamples}, Role::label));
  for (const char* name : {"mix", "smoothing", "inv_batch"})
    inputs.push_back(graph.input(name, {}, Role::scalar));
  return engine::apply(graph, "loss", ops::CrossEntropy(), inputs);
}

// Two labels, smoothing, and a mean over more samples than there are here.
testing::OpCase mixed() {
  return {.build = build,
          .differentiate = {"z"},
          .values = {{"y1", {0, 5, 36, 36, 2, 17, 9}},
                     {"y2", {1, 5, 0, 35, 3, 16, 30}},
                     {"mix", {0.7}},
                     {"smoothing", {0.1}},
                     {"inv_batch", {1.0 / 20}}}};
}

ValueId node_of(Shape z, Shape y1, Shape y2, Shape mix) {
  Graph graph;
  return engine::apply(
      graph, "loss/ce/1", ops::CrossEntropy(),
      {graph.input("z", z, Role::activation), graph.input("y1", y1, Role::label),
       graph.input("y2", y2, Role::label), graph.input("mix", mix, Role::scalar),
       graph.input("smoothing", {}, Role::scalar), graph.input("inv_batch", {}, Role::scalar)});
}
}  // namespace

TEST_CASE("cross_entropy: the gradient is the derivative of the loss") {
  CHECK(testing::finite_difference_error(mixed()) <= testing::kSmoothTolerance);
}

TEST_CASE("cross_entropy: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(mixed())) <= testing::kF32Tolerance);
}

TEST_CASE("cross_entropy: with one label and no smoothing it is -log p of the label") {
  auto op = mixed();
  op.values["mix"] = {1};
  op.values["smoothing"] = {0};
  op.values["inv_batch"] = {1.0 / kSamples};
  op.values["z"].assign(kSamples * kClasses, 0);
  for (std::size_t i = 0; i < op.values["z"].size(); ++i)
    op.values["z"][i] =
        50 * std::sin(static_cast<double>(i));  // exp(50²) overflows: max is subtracted
  double expected = 0;
  for (std::int64_t n = 0; n < kSamples; ++n) {
    const double* z = op.values["z"].data() + n * kClasses;
    const auto label = static_cast<std::int64_t>(op.values["y1"][static_cast<std::size_t>(n)]);
    double others = 0;
    for (std::int64_t q = 0; q < kClasses; ++q) others += std::exp(z[q] - z[label]);
    expected += std::log(others) / kSamples;
  }
  const auto reference = testing::run(op, engine::Backend::reference);
  CHECK(reference.at("y").front() == doctest::Approx(expected).epsilon(1e-12));
  CHECK(testing::run(op, engine::Backend::fast).at("y").front() ==
        doctest::Approx(expected).epsilon(testing::kF32Tolerance));
}

TEST_CASE("cross_entropy: each row of dz sums to 0") {
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
    const auto dz = testing::run(mixed(), backend).at("d/z");
    // Relative to the sum of magnitudes: kClasses numbers, each rounded to the precision of the backend.
    const double tolerance = backend == engine::Backend::reference ? 1e-14 : 1e-6;
    for (std::int64_t n = 0; n < kSamples; ++n) {
      double sum = 0, size = 0;
      for (std::int64_t q = 0; q < kClasses; ++q) {
        sum += dz[static_cast<std::size_t>(n * kClasses + q)];
        size += std::abs(dz[static_cast<std::size_t>(n * kClasses + q)]);
      }
      CHECK(size > 0);
      CHECK(std::abs(sum) <= tolerance * size);
    }
  }
}

TEST_CASE("cross_entropy: bad shapes are refused by name") {
  CHECK_THROWS_WITH_AS(node_of({4, 3, 2, 2}, {4}, {4}, {}),
                       "[cross_entropy loss/ce/1] z must be (N,Q), got (4,3,2,2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      node_of({4, 10}, {4}, {5}, {}),
      "[cross_entropy loss/ce/1] y2 must be (4), one label for each row of z, got (5)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({4, 10}, {4}, {4}, {1}),
                       "[cross_entropy loss/ce/1] mix must be one number, got (1)",
                       std::invalid_argument);
}

TEST_CASE("cross_entropy: every broken formula is noticed") {
  testing::check_mutants(mixed(), {"cross_entropy.reference.loss", "cross_entropy.reference.dz"},
                         {"cross_entropy.fast.loss", "cross_entropy.fast.dz"}, 1e-3);
}
