#include "ops/convolution.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/mutation.hpp"
#include "engine/onednn.hpp"
#include "engine/random.hpp"
#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Shape, engine::ValueId;
using ops::Convolution, ops::ConvolutionGeometry;

// F(4×4,3×3) adds and subtracts multiples of up to 8 of its inputs before and after the products (Lavin & Gray 2016, §4.3):
// about ten times the rounding error of the direct sum.
constexpr double kWinogradTolerance = 10 * testing::kF32Tolerance;
// Of our own kernels, which divide their work in ways of their own: also more than there are parts.
const std::vector<int> kThreads{1, 2, 3, 16};

testing::OpCase convolution(Shape x, Shape w, ConvolutionGeometry geometry) {
  return {.build =
              [=](Graph& graph) {
                return engine::apply(
                    graph, "y", Convolution(geometry),
                    {graph.input("x", x, Role::activation), graph.parameter("w", w)});
              },
          .differentiate = {"x"}};
}

testing::OpCase dense() {
  return convolution({2, 5, 6, 7}, {4, 5, 3, 3}, {.pad_h = 1, .pad_w = 1});
}

// The kinds of layer that the networks have, small, with channels that do not fill their blocks and odd sides.
std::vector<testing::OpCase> layers() {
  const ConvolutionGeometry same{.pad_h = 1, .pad_w = 1};
  return {
      convolution({2, 3, 8, 8}, {16, 3, 3, 3}, same),                     // stem
      convolution({1, 3, 15, 15}, {16, 3, 7, 7}, {1, 2, 2, 3, 3}),        // ImageNet stem
      convolution({2, 24, 5, 5}, {24, 24, 3, 3}, same),                   // basic block
      convolution({2, 16, 7, 7}, {24, 16, 3, 3}, {1, 2, 2, 1, 1}),        // strided
      convolution({2, 24, 5, 5}, {40, 24, 1, 1}, {}),                     // pointwise
      convolution({2, 16, 7, 7}, {32, 16, 1, 1}, {1, 2, 2}),              // shortcut
      convolution({2, 4, 16, 16}, {8, 4, 1, 1}, {1, 2, 2}),               // shortcut, few channels
      convolution({2, 24, 6, 6}, {24, 1, 3, 3}, {24, 1, 1, 1, 1}),        // depthwise
      convolution({2, 32, 7, 7}, {32, 1, 3, 3}, {32, 2, 2, 1, 1}),        // depthwise, strided
      convolution({2, 32, 5, 5}, {32, 4, 3, 3}, {8, 1, 1, 1, 1}),         // grouped
      convolution({2, 16, 7, 7}, {16, 16, 3, 3}, {1, 1, 1, 2, 2, 2, 2}),  // dilated
      convolution({1, 2, 6, 5}, {3, 2, 2, 3}, {1, 2, 1, 0, 1, 1, 2}),     // everything unequal
  };
}

ValueId node_of(Shape x, Shape w, ConvolutionGeometry geometry = {}) {
  Graph graph;
  return engine::apply(graph, "conv1", Convolution(geometry),
                       {graph.input("x", x, Role::activation), graph.parameter("w", w)});
}

// What a layer prefers, to be computed by this implementation of ours in all passes.
std::vector<std::string> ours(const std::string& implementation) {
  std::vector<std::string> lines;
  const char* id = implementation.starts_with("own_strassen") ? "strassen" : "winograd";
  for (const char* pass : {"forward", "backward_data", "backward_weights"})
    lines.push_back(fmt::format("y\t{}\t{}\t{}\tnChw16c nChw16c", pass, id, implementation));
  return lines;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
}  // namespace

TEST_CASE("convolution: the gradient is the derivative, for every kind of layer") {
  CHECK(testing::finite_difference_error(dense()) <= testing::kSmoothTolerance);
  for (auto& layer : layers()) {
    layer.directions = 1;
    CHECK(testing::finite_difference_error(layer) <= testing::kSmoothTolerance);
  }
}

TEST_CASE("convolution: fast is the reference, for every kind of layer") {
  for (auto& layer : layers()) {
    layer.direct = true;
    CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
  }
}

TEST_CASE("convolution: winograd is the reference but for its rounding") {
  auto layer = convolution({2, 32, 9, 9}, {48, 32, 3, 3}, {.pad_h = 1, .pad_w = 1});
  layer.prefer = {"winograd"};
  const auto errors = testing::fast_errors(layer);
  CHECK(testing::worst(errors) <= kWinogradTolerance);
  layer.direct = true;
  const auto direct = testing::fast_errors(layer);
  for (const char* name : {"y", "d/x", "d/w"}) CHECK((errors.at(name) != direct.at(name)) == engine::onednn::has_avx512());
}

TEST_CASE("convolution: our own winograd is the reference but for its rounding, in both strides and in groups, and a window in the wrong place is caught") {
  const auto check = [](const Shape& x, std::int64_t filters, std::int64_t stride, std::int64_t groups = 1) {
    auto layer = convolution(x, {filters, x[1] / groups, 3, 3}, {groups, stride, stride, 1, 1});
    layer.blocks = {16};
    layer.threads = kThreads;
    layer.direct = true;
    const auto direct = testing::fast_errors(layer);
    layer.direct = false;
    for (const std::string sums : {"", "_pairs"}) {
      layer.prefer = ours((stride == 1 ? "own_wino_4x3" : "own_wino_4x3_s2") + sums);
      const auto errors = testing::fast_errors(layer);
      INFO(x.text(), " stride ", stride, " groups ", groups, sums);
      CHECK(testing::worst(errors) <= testing::kF32Tolerance);
      for (const char* name : {"y", "d/x", "d/w"}) CHECK((errors.at(name) != direct.at(name)) == engine::onednn::has_avx512());
      if (engine::onednn::has_avx512())
        testing::check_mutants(layer, {}, {"convolution.fast.winograd.y", "convolution.fast.winograd.dx", "convolution.fast.winograd.dw"}, testing::kF32Tolerance);
    }
    if (engine::onednn::has_avx512() && groups > 1 && x[1] / groups < 16)
      testing::check_mutants(layer, {}, {"convolution.fast.block_diagonal"}, testing::kF32Tolerance);
  };
  check({2, 32, 9, 7}, 48, 1);   // odd sides, an odd number of blocks
  check({9, 16, 4, 4}, 16, 1);   // one tile in a plane, rows that are not filled
  check({1, 48, 26, 28}, 32, 1); // more tiles than one group has
  check({2, 32, 17, 13}, 48, 2); // an odd side: its last row is read by the last window alone
  check({3, 16, 16, 16}, 64, 2);
  check({140, 16, 8, 7}, 16, 2); // more tiles than one group of the gradient has
  check({2, 32, 9, 7}, 32, 1, 8);    // narrow groups, four of them in a block
  check({2, 16, 9, 13}, 32, 1, 4);   // all of them in one, whose tiles the threads divide
  check({2, 48, 12, 20}, 96, 1, 3);  // whole blocks; a thread's share ends within a group
  check({3, 64, 7, 9}, 64, 2, 2);
  check({2, 32, 8, 7}, 32, 2, 4);

  // So many weights that the threads share the sums of their gradient, and more tiles than they take at a time.
  for (const std::string sums : {"", "_pairs"}) {
    if (!engine::onednn::has_avx512()) break;
    auto layer = convolution({9, 288, 6, 7}, {288, 288, 3, 3}, {.pad_h = 1, .pad_w = 1});
    layer.blocks = {16};
    layer.threads = kThreads;
    layer.prefer = ours("own_wino_4x3" + sums);
    CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
    testing::check_mutants(layer, {}, {"convolution.fast.winograd.dw"}, testing::kF32Tolerance);
  }
}

TEST_CASE("convolution: a product by Strassen is the reference, and a lost row is caught") {
  const auto check = [](const std::string& implementation, const Shape& x, std::int64_t filters, std::int64_t stride) {
    auto layer = convolution(x, {filters, x[1], 1, 1}, {.stride_h = stride, .stride_w = stride});
    layer.blocks = {16};
    layer.threads = kThreads;
    layer.direct = true;
    const auto direct = testing::fast_errors(layer);
    layer.direct = false;
    layer.prefer = ours(implementation);
    const auto errors = testing::fast_errors(layer);
    INFO(implementation, " ", x.text(), " stride ", stride);
    CHECK(testing::worst(errors) <= testing::kF32Tolerance);
    for (const char* name : {"y", "d/x", "d/w"}) CHECK((errors.at(name) != direct.at(name)) == engine::onednn::has_avx512());
    if (engine::onednn::has_avx512())
      testing::check_mutants(layer, {}, {"convolution.fast.strassen.y", "convolution.fast.strassen.dx", "convolution.fast.strassen.dw"},
                              testing::kF32Tolerance);
  };
  for (const char* implementation : {"own_strassen", "own_strassen_pairs"}) {
    check(implementation, {2, 64, 8, 8}, 128, 1);   // whole groups
    check(implementation, {3, 128, 5, 7}, 64, 1);   // a group that is not full, and planes that begin within one
    check(implementation, {1, 64, 3, 3}, 64, 1);    // less than half a group
    check(implementation, {5, 64, 12, 7}, 128, 1);  // several groups of the gradient, the last not full
    check(implementation, {2, 64, 16, 14}, 64, 2);
    check(implementation, {3, 128, 7, 5}, 64, 2);   // the last line and column have no neighbour
    check(implementation, {1, 64, 10, 11}, 64, 3);
    if (engine::onednn::has_avx512()) {
      auto layer = convolution({2, 64, 16, 14}, {64, 64, 1, 1}, {.stride_h = 2, .stride_w = 2});
      layer.blocks = {16};
      layer.prefer = ours(implementation);
      testing::check_mutants(layer, {}, {"convolution.fast.strassen.gaps"}, testing::kF32Tolerance);
    }
    // So many weights that threads share the sums of their gradient.
    auto layer = convolution({1, 2048, 5, 3}, {2560, 2048, 1, 1}, {});
    layer.blocks = {16};
    layer.threads = kThreads;
    layer.prefer = ours(implementation);
    CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
  }
}

TEST_CASE("convolution: sums in pairs bear factors of unlike size, and need them to be made equal; of nothing they are nothing") {
  const auto normal = [](std::int64_t count, double size) {
    engine::Random generator(3, engine::Purpose::probe);
    std::vector<double> numbers(static_cast<std::size_t>(count));
    for (double& number : numbers) number = static_cast<float>(size * generator.normal());
    return numbers;
  };
  struct Case {
    std::string implementation;
    Shape x, w;
    ConvolutionGeometry geometry;
  };
  const std::vector<Case> cases = {{"own_strassen_pairs", {2, 128, 8, 8}, {64, 128, 1, 1}, {}},
                                   {"own_wino_4x3_pairs", {2, 32, 8, 8}, {32, 32, 3, 3}, {1, 1, 1, 1, 1}},
                                   {"own_wino_4x3_s2_pairs", {2, 64, 16, 16}, {48, 64, 3, 3}, {1, 2, 2, 1, 1}},
                                   {"own_wino_4x3_pairs", {2, 32, 8, 8}, {32, 8, 3, 3}, {4, 1, 1, 1, 1}}};
  for (const Case& one : cases) {
    auto layer = convolution(one.x, one.w, one.geometry);
    layer.blocks = {16};
    layer.prefer = ours(one.implementation);
    for (const double size_of_x : {1e5, 1e-4}) {
      layer.values["x"] = normal(one.x.count(), size_of_x);
      layer.values["w"] = normal(one.w.count(), 1 / size_of_x);
      INFO(one.implementation, " sizes ", size_of_x, " and ", 1 / size_of_x);
      CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
      if (!engine::onednn::has_avx512()) continue;
      engine::active_mutation = "channel_products.balance";
      for (const auto& [name, error] : engine::fast_errors(layer)) {
        INFO(name);
        CHECK(error > testing::kF32Tolerance);
      }
      engine::active_mutation.clear();
    }
    layer.values["x"].assign(static_cast<std::size_t>(one.x.count()), 0.0);
    const auto results = testing::run(layer, engine::Backend::fast);
    for (const char* name : {"y", "d/w"}) CHECK(std::ranges::count(results.at(name), 0.0) == std::ssize(results.at(name)));
  }
  // All is zero but one pixel, which a few blocks evenly apart do not meet; and the first filters are far smaller than the others.
  auto layer = convolution({2, 128, 8, 8}, {128, 128, 1, 1}, {});
  layer.blocks = {16};
  layer.prefer = ours("own_strassen_pairs");
  layer.values["x"] = normal(2 * 128 * 64, 1e-4);
  for (std::size_t i = 0; i < layer.values["x"].size(); ++i)
    if (i >= 16 * 64 || i % 64 != 3) layer.values["x"][i] = 0;
  CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
  layer.values.erase("x");
  layer.values["w"] = normal(128 * 128, 1);
  for (std::size_t i = 0; i < 32 * 128; ++i) layer.values["w"][i] *= 1e-8;
  CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
}

TEST_CASE("convolution: wide groups of narrow ones are the reference, and a filter in the wrong place is caught") {
  for (const ConvolutionGeometry& geometry : {ConvolutionGeometry{8, 1, 1, 1, 1}, ConvolutionGeometry{8, 2, 2, 1, 1}}) {
    auto layer = convolution({2, 32, 6, 5}, {32, 4, 3, 3}, geometry);
    layer.prefer = {"block_diagonal"};
    layer.blocks = {8, 16};
    CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
    testing::check_mutants(layer, {}, {"convolution.fast.block_diagonal"}, testing::kF32Tolerance);
  }
}

TEST_CASE("convolution: a product of matrices is the reference, in f32 and in bf16, and a lost term and a wrong window are caught") {
  const Shape planes{2, 24, 7, 6};
  const auto as_product = [&](const Shape& w, const ConvolutionGeometry& geometry, const char* id) {
    auto layer = convolution(planes, w, geometry);
    layer.prefer = {id};
    layer.blocks = {0};
    CHECK(testing::worst(testing::fast_errors(layer)) <= testing::kF32Tolerance);
    testing::check_mutants(layer, {}, {"convolution.fast.matmul"}, testing::kF32Tolerance);
    if (geometry.pad_w > 0) testing::check_mutants(layer, {}, {"convolution.fast.windows"}, testing::kF32Tolerance);
  };
  as_product({40, 24, 1, 1}, {}, "matmul");
  as_product({20, 24, 1, 1}, {.stride_h = 2, .stride_w = 2}, "im2col");
  as_product({20, 24, 3, 3}, {.pad_h = 1, .pad_w = 1}, "im2col");
  as_product({20, 24, 3, 2}, {.pad_h = 0, .pad_w = 1}, "im2col");
  as_product({20, 24, 3, 3}, {.stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 1}, "im2col");
  as_product({16, 24, 3, 3}, {.pad_h = 2, .pad_w = 2, .dilation_h = 2, .dilation_w = 2}, "im2col");
}

TEST_CASE("convolution: it is linear in x and in w, so dx.x = dw.w") {
  for (const auto backend : {engine::Backend::reference, engine::Backend::fast})
    for (auto& layer : layers()) {
      const auto sizes = testing::run(layer, backend);
      for (const char* name : {"x", "w"})
        for (std::size_t i = 0; i < sizes.at("d/" + std::string(name)).size(); ++i)
          layer.values[name].push_back(static_cast<double>(i * 7 % 16) / 8 - 1);
      const auto result = testing::run(layer, backend);
      const auto &x = layer.values["x"], &dx = result.at("d/x");
      const double scale = std::sqrt(dot(dx, dx) * dot(x, x));
      CHECK(std::abs(dot(dx, x) - dot(result.at("d/w"), layer.values["w"])) <=
            testing::kF32Tolerance * scale);
    }
}

TEST_CASE("convolution: bad shapes and geometries are named") {
  using doctest::Contains;
  CHECK_THROWS_WITH_AS(node_of({2, 4}, {4, 4, 3, 3}),
                       "[convolution conv1] x must be (N,C,H,W) and not empty, got (2,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 4, 8, 8}, {4, 4, 3}),
                       "[convolution conv1] w must be (K,C/G,R,S) and not empty, got (4,4,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 4, 8, 8}, {8, 3, 1, 1}), Contains("w must be (8,4,R,S)"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 6, 8, 8}, {8, 2, 1, 1}, {.groups = 3}),
                       Contains("3 groups must divide C = 6 and K = 8"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({2, 4, 8, 2}, {8, 4, 3, 3}),
                       Contains("the window is 3 pixels wide, but x has only 2 with its padding"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(Convolution({.stride_h = 0}), Contains("must be at least 1"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(Convolution({.pad_w = -1}), Contains("must not be negative"),
                       std::invalid_argument);
}

TEST_CASE("convolution: every mutant is caught") {
  testing::check_mutants(
      dense(), {"convolution.reference.y", "convolution.reference.dx", "convolution.reference.dw"},
      {"convolution.fast.y", "convolution.fast.dx", "convolution.fast.dw"}, kWinogradTolerance);
}
