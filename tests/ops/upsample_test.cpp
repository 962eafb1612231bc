#include "ops/upsample.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <stdexcept>

#include "ops/multiply.hpp"
#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;

struct Sizes {
  std::int64_t height, width, new_height, new_width;
};
// Doubled; stretched by odd ratios; shrunk, passing over rows; from one pixel; one axis each way; unchanged; to one pixel.
constexpr Sizes kSizes[] = {{5, 6, 10, 12}, {7, 5, 9, 8}, {13, 11, 4, 3}, {1, 1, 4, 3},
                            {3, 9, 7, 2},   {4, 4, 4, 4}, {5, 4, 1, 1}};
constexpr std::int64_t kSamples = 2, kChannels = 24;  // a tail in blocks of 16

testing::OpCase upsample(const Sizes& sizes) {
  return {.build =
              [sizes](Graph& graph) {
                const Shape x{kSamples, kChannels, sizes.height, sizes.width};
                return engine::apply(graph, "up", ops::Upsample(sizes.new_height, sizes.new_width),
                                     {graph.input("x", x, Role::activation)});
              },
          .differentiate = {"x"}};
}

ValueId node_of(Shape x) {
  Graph graph;
  return engine::apply(graph, "attention1.up", ops::Upsample(8, 8),
                       {graph.input("x", x, Role::activation)});
}
}  // namespace

TEST_CASE("upsample: the gradient is the derivative for any ratio of sizes") {
  for (const Sizes& sizes : kSizes)
    CHECK(testing::finite_difference_error(upsample(sizes)) <= testing::kSmoothTolerance);
}

TEST_CASE("upsample: fast is the reference for any ratio of sizes") {
  for (const Sizes& sizes : kSizes)
    CHECK(testing::worst(testing::fast_errors(upsample(sizes))) <= testing::kF32Tolerance);
}

TEST_CASE("upsample: doubling and halving follow the half-pixel rule") {
  testing::OpCase op{.build = [](Graph& graph) {
    return engine::apply(graph, "up", ops::Upsample(4, 2),
                         {graph.input("x", {1, 1, 2, 4}, Role::activation)});
  }};
  op.values["x"] = {1, 2, 5, 8, 3, 4, 7, 10};
  // Columns: centres of the new pixels lie half-way between two old ones. Rows: at 0 (clamped), ¼, ¾ and 1.
  const std::vector<double> expected{1.5, 6.5, 2, 7, 3, 8, 3.5, 8.5};
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast})
    CHECK(testing::run(op, backend).at("y") == expected);
}

TEST_CASE("upsample: a constant stays what it is") {
  for (const Sizes& sizes : kSizes) {
    auto op = upsample(sizes);
    op.values["x"].assign(kSamples * kChannels * sizes.height * sizes.width, 0.7F);
    const auto got = testing::run(op, engine::Backend::fast);
    for (const double y : got.at("y")) REQUIRE(static_cast<float>(y) == 0.7F);
  }
}

TEST_CASE("upsample: backward is the adjoint") {
  // z = up(x)·b: <dz/db, b> = Σ dz·up(x)·b and <dz/dx, x> = <upᵀ(dz·b), x> must be the same number.
  constexpr double kRelative = 1e-5;  // f32
  for (const Sizes& sizes : kSizes) {
    auto op = upsample(sizes);
    const std::int64_t count = kSamples * kChannels * sizes.new_height * sizes.new_width;
    std::vector<double> b(count);
    for (std::int64_t i = 0; i < count; ++i) b[i] = static_cast<double>(i % 7) - 2;
    op.values["b"] = b;
    op.values["x"].assign(kSamples * kChannels * sizes.height * sizes.width, 0);
    std::iota(op.values["x"].begin(), op.values["x"].end(), -100.0);
    op.differentiate = {"x", "b"};
    op.build = [build = op.build, sizes](Graph& graph) {
      const Shape y{kSamples, kChannels, sizes.new_height, sizes.new_width};
      const ValueId up = build(graph);
      return engine::apply(graph, "z", ops::Multiply(),
                           {up, graph.input("b", y, Role::activation)});
    };
    for (const auto backend : {engine::Backend::reference, engine::Backend::fast}) {
      const auto got = testing::run(op, backend);
      const auto dot = [](const std::vector<double>& u, const std::vector<double>& v) {
        return std::inner_product(u.begin(), u.end(), v.begin(), 0.0);
      };
      CHECK(dot(got.at("d/x"), op.values.at("x")) ==
            doctest::Approx(dot(got.at("d/b"), b)).epsilon(kRelative));
    }
  }
}

TEST_CASE("upsample: padded channels stay zero") {
  CHECK(testing::largest_padding(ops::Upsample(7, 5), {{2, kChannels, 3, 4}}) == 0);
}

TEST_CASE("upsample: bad sizes and shapes are refused by name") {
  CHECK_THROWS_WITH_AS(ops::Upsample(0, 4),
                       "[upsample] height and width must be at least 1, got 0x4",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({32, 64}),
                       "[upsample attention1.up] x must be (N,C,H,W) with H, W ≥ 1, got (32,64)",
                       std::invalid_argument);
}

TEST_CASE("upsample: every broken formula is noticed") {
  testing::check_mutants(upsample({7, 5, 9, 8}), {"upsample.reference.y", "upsample.reference.dx"},
                         {"upsample.fast.y", "upsample.fast.dx"}, 1e-3);
}
