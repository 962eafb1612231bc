#include "ops/soft_cross_entropy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>
#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

constexpr std::int64_t kSamples = 6,
                       kClasses = 141;  // longer than the part that a kernel sums at once
constexpr double kTemperature = 3;

ValueId build(Graph& graph) {
  return engine::apply(
      graph, "loss", ops::SoftCrossEntropy(),
      {graph.input("z", {kSamples, kClasses}, Role::activation),
       graph.input("teacher", {kSamples, kClasses}, Role::activation),
       graph.input("temperature", {}, Role::scalar), graph.input("inv_batch", {}, Role::scalar)});
}

testing::OpCase softened() {
  return {.build = build,
          .differentiate = {"z"},
          .values = {{"temperature", {kTemperature}}, {"inv_batch", {1.0 / 20}}}};
}

std::vector<double> waves(double frequency) {
  std::vector<double> z(kSamples * kClasses);
  for (std::size_t i = 0; i < z.size(); ++i)
    z[i] = 4 * std::sin(frequency * static_cast<double>(i));
  return z;
}

// softmax(z/T) of row n.
std::vector<double> softmax(const std::vector<double>& z, std::int64_t n) {
  std::vector<double> p(z.begin() + n * kClasses, z.begin() + (n + 1) * kClasses);
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v / kTemperature);
  for (double& v : p) v /= sum;
  return p;
}

ValueId node_of(Shape z, Shape teacher, Shape temperature) {
  Graph graph;
  return engine::apply(
      graph, "loss/soft/2", ops::SoftCrossEntropy(),
      {graph.input("z", z, Role::activation), graph.input("teacher", teacher, Role::activation),
       graph.input("temperature", temperature, Role::scalar),
       graph.input("inv_batch", {}, Role::scalar)});
}
}  // namespace

TEST_CASE("soft_cross_entropy: the gradient is the derivative of the loss at a fixed teacher") {
  CHECK(testing::finite_difference_error(softened()) <= testing::kSmoothTolerance);
}

TEST_CASE("soft_cross_entropy: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(softened())) <= testing::kF32Tolerance);
}

TEST_CASE(
    "soft_cross_entropy: dz is a multiple of softmax(z/T) - softmax(t/T), and 0 where z = t") {
  auto op = softened();
  op.values["z"] = waves(1.0);
  // What is left is the rounding of p and r, which are below 1, times the multiple.
  for (const auto& [backend, rounding] :
       {std::pair{engine::Backend::reference, 1e-15}, std::pair{engine::Backend::fast, 1e-6}}) {
    op.values["teacher"] = waves(2.0);
    const auto dz = testing::run(op, backend).at("d/z");
    std::vector<double> differences;
    for (std::int64_t n = 0; n < kSamples; ++n) {
      const auto p = softmax(op.values["z"], n), r = softmax(op.values["teacher"], n);
      std::transform(p.begin(), p.end(), r.begin(), std::back_inserter(differences), std::minus());
    }
    // dS is some number of the harness: the multiple is found here, and must be the same for all.
    const double multiple =
        std::inner_product(dz.begin(), dz.end(), differences.begin(), 0.0) /
        std::inner_product(differences.begin(), differences.end(), differences.begin(), 0.0);
    REQUIRE(multiple != 0);
    const double tolerance = rounding * std::abs(multiple);
    double worst = 0;
    for (std::size_t i = 0; i < dz.size(); ++i)
      worst = std::max(worst, std::abs(dz[i] - multiple * differences[i]));
    CHECK(worst <= tolerance);
    op.values["teacher"] = op.values["z"];
    const auto flat = testing::run(op, backend);
    for (const double zero : flat.at("d/z"))
      CHECK(std::abs(zero) <= tolerance);
  }
}

TEST_CASE("soft_cross_entropy: bad shapes are refused by name") {
  CHECK_THROWS_WITH_AS(node_of({4}, {4}, {}),
                       "[soft_cross_entropy loss/soft/2] z must be (N,Q), got (4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({4, 10}, {4, 9}, {}),
                       "[soft_cross_entropy loss/soft/2] teacher must be (4,10) as z is, got (4,9)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({4, 10}, {4, 10}, {4}),
                       "[soft_cross_entropy loss/soft/2] temperature must be one number, got (4)",
                       std::invalid_argument);
}

TEST_CASE("soft_cross_entropy: every broken formula is noticed") {
  testing::check_mutants(softened(),
                         {"soft_cross_entropy.reference.loss", "soft_cross_entropy.reference.dz"},
                         {"soft_cross_entropy.fast.loss", "soft_cross_entropy.fast.dz"}, 1e-3);
}
