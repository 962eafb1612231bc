#include "ops/max_pool.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "ops/multiply.hpp"
#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Role, engine::Shape, engine::ValueId;

struct Pool {
  std::int64_t height, width, window, stride, pad;
};
// The ImageNet stem; halves; overlapping without stride; gaps between windows; the whole plane; windows that the last pixels
// do not fill.
constexpr Pool kPools[] = {{9, 11, 3, 2, 1}, {8, 6, 2, 2, 0}, {5, 7, 3, 1, 1},
                           {9, 8, 2, 3, 1},  {4, 4, 4, 4, 0}, {7, 10, 3, 3, 0}};
constexpr std::int64_t kSamples = 2, kChannels = 24;  // a tail in blocks of 16

testing::OpCase max_pool(const Pool& pool) {
  return {.build =
              [pool](Graph& graph) {
                const Shape x{kSamples, kChannels, pool.height, pool.width};
                return engine::apply(graph, "pool",
                                     ops::MaxPool(pool.window, pool.stride, pool.pad),
                                     {graph.input("x", x, Role::activation)});
              },
          .differentiate = {"x"}};
}

testing::OpCase plane_3x4(std::vector<double> x, ops::MaxPool op) {
  testing::OpCase one{.build =
                          [op](Graph& graph) {
                            return engine::apply(
                                graph, "pool", op,
                                {graph.input("x", {1, 1, 3, 4}, Role::activation)});
                          },
                      .differentiate = {"x"}};
  one.values["x"] = std::move(x);
  return one;
}
}  // namespace

TEST_CASE("max_pool: the gradient is the derivative, the arg-max held") {
  for (const Pool& pool : kPools)
    CHECK(testing::finite_difference_error(max_pool(pool)) <= testing::kSmoothTolerance);
}

TEST_CASE("max_pool: fast is the reference, in training and inference") {
  for (const Pool& pool : kPools) {
    auto op = max_pool(pool);
    CHECK(testing::worst(testing::fast_errors(op)) <= testing::kF32Tolerance);
    op.mode = engine::Mode::infer;  // with a backward pass, as where batch norm is frozen, and without
    CHECK(testing::worst(testing::fast_errors(op)) <= testing::kF32Tolerance);
    op.differentiate = {};
    CHECK(testing::worst(testing::fast_errors(op)) == 0);
  }
}

TEST_CASE("max_pool: padding never wins, the first of equals does, and a NaN is seen") {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  for (const auto backend : {Backend::reference, Backend::fast}) {
    const auto negative =
        plane_3x4({-9, -8, -7, -6, -5, -4, -3, -2, -9, -9, -9, -9}, ops::MaxPool(3, 2, 1));
    CHECK(testing::run(negative, backend).at("y") == std::vector<double>{-4, -2, -4, -2});

    const auto equal =
        testing::run(plane_3x4(std::vector<double>(12, 1.0), ops::MaxPool(3, 4)), backend)
            .at("d/x");
    CHECK(equal[0] != 0);
    CHECK(std::accumulate(equal.begin() + 1, equal.end(), 0.0) == 0);

    const auto spoilt =
        testing::run(plane_3x4({1, kNaN, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9}, ops::MaxPool(2, 2)),
                     backend)
            .at("y");
    CHECK(std::isnan(spoilt[0]));
    CHECK(spoilt[1] == 8);
  }
}

TEST_CASE("max_pool: is homogeneous, so the sum of x dx is the sum of dy y") {
  // z = pool(x)·b: <d/b, b> = Σ dz·pool(x)·b must be <d/x, x>.
  for (const Pool& pool : kPools) {
    auto op = max_pool(pool);
    std::vector<double> x(kSamples * kChannels * pool.height * pool.width);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i * i % 101));
    op.values["x"] = x;
    op.differentiate = {"x", "b"};
    op.build = [build = op.build](Graph& graph) {
      const ValueId y = build(graph);
      const ValueId b = graph.input("b", graph.value(y).shape, Role::activation);
      return engine::apply(graph, "z", ops::Multiply(), {y, b});
    };
    const ops::PoolWindow window{pool.window, pool.stride, pool.pad};
    std::vector<double> b(kSamples * kChannels * window.outputs(pool.height) *
                          window.outputs(pool.width));
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<double>(i % 5) + 1;
    op.values["b"] = b;
    for (const auto backend : {Backend::reference, Backend::fast}) {
      const auto got = testing::run(op, backend);
      const auto& dx = got.at("d/x");
      const auto& db = got.at("d/b");
      CHECK(
          std::inner_product(dx.begin(), dx.end(), x.begin(), 0.0) ==
          doctest::Approx(std::inner_product(db.begin(), db.end(), b.begin(), 0.0)).epsilon(1e-5));
    }
  }
}

TEST_CASE("max_pool: padded channels stay zero") {
  CHECK(testing::largest_padding(ops::MaxPool(3, 2, 1), {{2, kChannels, 5, 6}}) == 0);
}

TEST_CASE("max_pool: bad windows and shapes are refused by name") {
  const auto node_of = [](Shape x) {
    Graph graph;
    return engine::apply(graph, "maxpool", ops::MaxPool(3, 2, 1),
                         {graph.input("x", x, Role::activation)});
  };
  CHECK_THROWS_WITH_AS(node_of({32, 64}), "[max_pool maxpool] x must be (N,C,H,W), got (32,64)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 3, 8, 0}),
                       "[max_pool maxpool] a window of 3 does not fit into x (2,3,8,0) padded by 1",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(ops::MaxPool(3, 2, 2),
                       "[max_pool] pad must be 0 to 1, half the window of 3, got 2",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(ops::MaxPool(2, 0),
                       "[max_pool] window and stride must be at least 1, got 2 and 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(ops::MaxPool(17, 1), "[max_pool] window must be at most 16, got 17",
                       std::invalid_argument);
}

TEST_CASE("max_pool: every broken formula is noticed") {
  testing::check_mutants(max_pool(kPools[0]), {"max_pool.reference.y", "max_pool.reference.dx"},
                         {"max_pool.fast.y", "max_pool.fast.dx"}, 1e-3);
}
