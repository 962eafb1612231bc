#include "ops/average_pool.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "ops/global_average.hpp"
#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Role, engine::Shape;

struct Pool {
  std::int64_t height, width, window, stride, pad;
  bool flatten;
};
// Overlapping with padding, both ways out; halves; gaps between windows; the seed's; the seed's on 40 px, where it leaves
// out the last pixels.
constexpr Pool kPools[] = {{9, 11, 3, 2, 1, false}, {9, 11, 3, 2, 1, true}, {8, 6, 2, 2, 0, false},
                           {9, 8, 2, 3, 1, true},   {4, 4, 4, 4, 0, true},  {5, 5, 4, 4, 0, true}};
constexpr std::int64_t kSamples = 2, kChannels = 24;  // a tail in blocks of 16

testing::OpCase average_pool(const Pool& pool) {
  return {.build =
              [pool](Graph& graph) {
                const Shape x{kSamples, kChannels, pool.height, pool.width};
                return engine::apply(
                    graph, "pool",
                    ops::AveragePool(pool.window, pool.stride, pool.pad, pool.flatten),
                    {graph.input("x", x, Role::activation)});
              },
          .differentiate = {"x"}};
}
}  // namespace

TEST_CASE("average_pool: the gradient is the derivative") {
  for (const Pool& pool : kPools)
    CHECK(testing::finite_difference_error(average_pool(pool)) <= testing::kSmoothTolerance);
}

TEST_CASE("average_pool: fast is the reference") {
  for (const Pool& pool : kPools)
    CHECK(testing::worst(testing::fast_errors(average_pool(pool))) <= testing::kF32Tolerance);
}

TEST_CASE("average_pool: a constant stays what it is inside, and padding counts as zeros") {
  for (const auto backend : {Backend::reference, Backend::fast}) {
    auto inside = average_pool({8, 6, 2, 2, 0, false});
    inside.values["x"].assign(kSamples * kChannels * 8 * 6, 3.0);
    const auto constant = testing::run(inside, backend);
    for (const double y : constant.at("y")) REQUIRE(y == 3.0);

    auto padded = average_pool({8, 8, 2, 2, 1, false});
    padded.values["x"].assign(kSamples * kChannels * 8 * 8, 4.0);
    const auto y = testing::run(padded, backend).at("y");  // 5×5: a corner sees one pixel of four
    CHECK(y[0] == 1.0);
    CHECK(y[1] == 2.0);
    CHECK(y[6] == 4.0);
  }
}

TEST_CASE("average_pool: over a whole plane and flattened it is the global average") {
  const auto seed = average_pool({4, 4, 4, 4, 0, true});
  auto global = seed;
  global.build = [](Graph& graph) {
    return engine::apply(graph, "pool", ops::GlobalAverage(),
                         {graph.input("x", {kSamples, kChannels, 4, 4}, Role::activation)});
  };
  for (const auto backend : {Backend::reference, Backend::fast}) {
    const auto ours = testing::run(seed, backend), same = testing::run(global, backend);
    for (const char* name : {"y", "d/x"})
      CHECK(engine::relative_error(ours.at(name), same.at(name)) <=
            (backend == Backend::reference ? 1e-14 : 1e-6));
  }
}

TEST_CASE("average_pool: flattened, channel follows channel as in the planes") {
  auto op = average_pool({9, 11, 3, 2, 1, false});
  const auto planes = testing::run(op, Backend::fast);
  op = average_pool({9, 11, 3, 2, 1, true});
  const auto flat = testing::run(op, Backend::fast);
  CHECK(planes.at("y") == flat.at("y"));
  CHECK(planes.at("d/x") == flat.at("d/x"));
}

TEST_CASE("average_pool: padded channels stay zero") {
  CHECK(testing::largest_padding(ops::AveragePool(3, 2, 1), {{2, kChannels, 5, 6}}) == 0);
  CHECK(testing::largest_padding(ops::AveragePool(4, 4, 0, true), {{2, kChannels, 4, 4}}) == 0);
}

TEST_CASE("average_pool: bad windows and shapes are refused by name") {
  const auto node_of = [](Shape x) {
    Graph graph;
    return engine::apply(graph, "avgpool", ops::AveragePool(4, 4),
                         {graph.input("x", x, Role::activation)});
  };
  CHECK_THROWS_WITH_AS(
      node_of({2, 64, 3, 3}),
      "[average_pool avgpool] a window of 4 does not fit into x (2,64,3,3) padded by 0",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 64}), "[average_pool avgpool] x must be (N,C,H,W), got (2,64)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(ops::AveragePool(0, 1),
                       "[average_pool] window and stride must be at least 1, got 0 and 1",
                       std::invalid_argument);
}

TEST_CASE("average_pool: every broken formula is noticed") {
  for (const Pool& pool : {kPools[0], kPools[1]})
    testing::check_mutants(average_pool(pool),
                           {"average_pool.reference.y", "average_pool.reference.dx"},
                           {"average_pool.fast.y", "average_pool.fast.dx"}, 1e-3);
}
