#include "ops/global_average.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "ops/multiply.hpp"
#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Role, engine::Shape;

constexpr std::int64_t kSamples = 2, kChannels = 24;  // a tail in blocks of 16

testing::OpCase global_average(std::int64_t height, std::int64_t width) {
  return {.build =
              [=](Graph& graph) {
                const Shape x{kSamples, kChannels, height, width};
                return engine::apply(graph, "pool", ops::GlobalAverage(),
                                     {graph.input("x", x, Role::activation)});
              },
          .differentiate = {"x"}};
}
}  // namespace

TEST_CASE("global_average: the gradient is the derivative") {
  CHECK(testing::finite_difference_error(global_average(3, 5)) <= testing::kSmoothTolerance);
}

TEST_CASE("global_average: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(global_average(3, 5))) <= testing::kF32Tolerance);
  CHECK(testing::worst(testing::fast_errors(global_average(4, 4))) <= testing::kF32Tolerance);
  CHECK(testing::worst(testing::fast_errors(global_average(1, 1))) <= testing::kF32Tolerance);
}

TEST_CASE("global_average: a large plane far from zero loses nothing") {
  auto op = global_average(67, 64);
  op.values["x"].assign(kSamples * kChannels * 67 * 64, 0.0);
  for (std::size_t i = 0; i < op.values["x"].size(); ++i)
    op.values["x"][i] = 1000 + static_cast<double>(i % 7) / 8;
  CHECK(testing::fast_errors(op).at("y") <= 1.2e-7);  // the rounding of the result to f32, doubled
}

TEST_CASE("global_average: backward gives every pixel its share of dy") {
  // z = mean(x)·b with x = 2 and b = 3: dz/dx = 3·dz/15 for each of 15 pixels, and dz/db = 2·dz.
  auto op = global_average(3, 5);
  op.differentiate = {"x", "b"};
  op.values["x"].assign(kSamples * kChannels * 15, 2.0);
  op.values["b"].assign(kSamples * kChannels, 3.0);
  op.build = [build = op.build](Graph& graph) {
    const engine::ValueId mean = build(graph);
    const engine::ValueId b = graph.input("b", {kSamples, kChannels}, Role::activation);
    return engine::apply(graph, "z", ops::Multiply(), {mean, b});
  };
  for (const auto backend : {Backend::reference, Backend::fast}) {
    const auto got = testing::run(op, backend);
    for (std::size_t i = 0; i < got.at("d/x").size(); ++i)
      REQUIRE(got.at("d/x")[i] == doctest::Approx(got.at("d/b")[i / 15] / 2 * 3 / 15));
  }
}

TEST_CASE("global_average: padded channels stay zero") {
  CHECK(testing::largest_padding(ops::GlobalAverage(), {{2, kChannels, 3, 5}}) == 0);
}

TEST_CASE("global_average: a bad shape is refused by name") {
  Graph graph;
  CHECK_THROWS_WITH_AS(engine::apply(graph, "avgpool", ops::GlobalAverage(),
                                     {graph.input("x", {32, 512}, Role::activation)}),
                       "[global_average avgpool] x must be (N,C,H,W) with H, W ≥ 1, got (32,512)",
                       std::invalid_argument);
}

TEST_CASE("global_average: every broken formula is noticed") {
  testing::check_mutants(global_average(3, 5),
                         {"global_average.reference.y", "global_average.reference.dx"},
                         {"global_average.fast.y", "global_average.fast.dx"}, 1e-3);
}
