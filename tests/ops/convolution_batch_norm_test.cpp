#include "ops/convolution_batch_norm.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "engine/mutation.hpp"
#include "ops/add.hpp"
#include "ops/relu.hpp"
#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Mode, engine::Role, engine::Shape, engine::ValueId;
using ops::ConvolutionBatchNorm, ops::ConvolutionGeometry, ops::Tail;

constexpr double kEpsilon = 0.25;  // large, so that it is missed where it is forgotten
// As in convolution_test.cpp: about ten times the rounding error of the direct sum.
constexpr double kWinogradTolerance = 10 * testing::kF32Tolerance;
// f64, the same sums in another order.
constexpr double kIdentityTolerance = 1e-13;

struct Layer {
  Shape x, w;
  ConvolutionGeometry geometry = {};
};

std::vector<ValueId> norm_inputs(Graph& graph, std::int64_t channels) {
  return {graph.parameter("gamma", {channels}), graph.parameter("beta", {channels}), graph.state("mean", {channels}),
          graph.state("variance", {channels})};
}

Shape output_of(const Layer& layer) {
  const std::vector<Shape> shapes{layer.x, layer.w};
  return ops::Convolution(layer.geometry).infer("y", shapes).front();
}

testing::OpCase folded(const Layer& layer, Tail tail) {
  testing::OpCase op;
  op.build = [=](Graph& graph) {
    std::vector<ValueId> inputs{graph.input("x", layer.x, Role::activation), graph.parameter("w", layer.w)};
    for (const ValueId id : norm_inputs(graph, layer.w[0])) inputs.push_back(id);
    if (tail == Tail::add_relu) inputs.push_back(graph.input("z", output_of(layer), Role::activation));
    return engine::apply(graph, "y", ConvolutionBatchNorm(layer.geometry, kEpsilon, tail), inputs);
  };
  op.mode = Mode::infer;
  op.direct = true;
  return op;
}

testing::OpCase apart(const Layer& layer, Tail tail) {
  testing::OpCase op = folded(layer, tail);
  op.build = [=](Graph& graph) {
    const ValueId x = graph.input("x", layer.x, Role::activation), w = graph.parameter("w", layer.w);
    std::vector<ValueId> inputs{engine::apply(graph, "conv", ops::Convolution(layer.geometry), {x, w})};
    for (const ValueId id : norm_inputs(graph, layer.w[0])) inputs.push_back(id);
    ValueId y = engine::apply(graph, "bn", ops::BatchNorm({.epsilon = kEpsilon}), inputs);
    if (tail == Tail::add_relu)
      y = engine::apply(graph, "sum", ops::Add(), {y, graph.input("z", output_of(layer), Role::activation)});
    return tail == Tail::none ? y : engine::apply(graph, "relu", ops::Relu(), {y});
  };
  return op;
}

// The kinds of layer that the networks have, small, with channels that do not fill their blocks and odd sides.
std::vector<Layer> layers() {
  const ConvolutionGeometry same{.pad_h = 1, .pad_w = 1};
  return {
      {{2, 3, 8, 8}, {16, 3, 3, 3}, same},                     // stem
      {{1, 3, 15, 15}, {16, 3, 7, 7}, {1, 2, 2, 3, 3}},        // ImageNet stem
      {{2, 24, 5, 5}, {24, 24, 3, 3}, same},                   // basic block
      {{2, 16, 7, 7}, {24, 16, 3, 3}, {1, 2, 2, 1, 1}},        // strided
      {{2, 24, 5, 5}, {40, 24, 1, 1}},                         // pointwise
      {{2, 16, 7, 7}, {32, 16, 1, 1}, {1, 2, 2}},              // shortcut
      {{2, 24, 6, 6}, {24, 1, 3, 3}, {24, 1, 1, 1, 1}},        // depthwise
      {{2, 32, 7, 7}, {32, 1, 3, 3}, {32, 2, 2, 1, 1}},        // depthwise, strided
      {{2, 32, 5, 5}, {32, 4, 3, 3}, {8, 1, 1, 1, 1}},         // grouped
      {{2, 16, 7, 7}, {16, 16, 3, 3}, {1, 1, 1, 2, 2, 2, 2}},  // dilated
  };
}

constexpr Tail kTails[] = {Tail::none, Tail::relu, Tail::add_relu};

double fold_error(const Layer& layer, Tail tail) {
  const auto together = testing::run(folded(layer, tail), Backend::reference);
  const auto separately = testing::run(apart(layer, tail), Backend::reference);
  return engine::relative_error(together.at("y"), separately.at("y"));
}
}  // namespace

TEST_CASE("convolution_batch_norm: it is the convolution and the batch norm, one after the other") {
  for (const Layer& layer : layers())
    for (const Tail tail : kTails) CHECK(fold_error(layer, tail) <= kIdentityTolerance);
}

TEST_CASE("convolution_batch_norm: fast is the reference, for every kind of layer and tail") {
  for (const Layer& layer : layers())
    for (const Tail tail : kTails) {
      CAPTURE(layer.w.text());
      CAPTURE(static_cast<int>(tail));
      CHECK(testing::fast_errors(folded(layer, tail)).at("y") <= testing::kF32Tolerance);
    }
}

TEST_CASE("convolution_batch_norm: winograd is the reference but for its rounding") {
  for (const Tail tail : kTails) {
    auto op = folded({{2, 32, 9, 9}, {48, 32, 3, 3}, {.pad_h = 1, .pad_w = 1}}, tail);
    op.direct = false;
    op.prefer = {"winograd"};
    const double error = testing::fast_errors(op).at("y");
    CHECK(error <= kWinogradTolerance);
    op.direct = true;
    CHECK((error != testing::fast_errors(op).at("y")) == testing::has_winograd());
  }
}

TEST_CASE("convolution_batch_norm: wide groups of narrow ones are the reference") {
  for (const Tail tail : kTails) {
    auto op = folded({{2, 32, 6, 5}, {32, 4, 3, 3}, {8, 2, 2, 1, 1}}, tail);
    op.direct = false;
    op.prefer = {"block_diagonal"};
    op.blocks = {8, 16};
    CHECK(testing::fast_errors(op).at("y") <= testing::kF32Tolerance);
  }
}

TEST_CASE("convolution_batch_norm: z may be x, or die here, or live on") {
  for (const bool same : {true, false})
    for (const bool lives_on : {true, false}) {
      testing::OpCase op = folded({}, Tail::none);
      op.build = [=](Graph& graph) {
        const Shape x{2, 24, 5, 5}, w{24, 24, 3, 3};
        // Made by a node, so that its memory can be taken over.
        const ValueId z = engine::apply(graph, "z", ops::Relu(), {graph.input("a", x, Role::activation)});
        std::vector<ValueId> inputs{same ? z : graph.input("x", x, Role::activation), graph.parameter("w", w)};
        for (const ValueId id : norm_inputs(graph, w[0])) inputs.push_back(id);
        inputs.push_back(z);
        const ValueId y = engine::apply(
            graph, "y", ConvolutionBatchNorm({.pad_h = 1, .pad_w = 1}, kEpsilon, Tail::add_relu), inputs);
        return engine::apply(graph, "last", ops::Add(), {y, lives_on ? z : y});
      };
      CHECK(testing::fast_errors(op).at("y") <= testing::kF32Tolerance);
    }
}

TEST_CASE("convolution_batch_norm: bad shapes are named") {
  using doctest::Contains;
  const auto node_of = [](const Shape& w, const Shape& gamma, const Shape& z) {
    Graph graph;
    const std::vector<ValueId> inputs{graph.input("x", {2, 4, 8, 8}, Role::activation), graph.parameter("w", w),
                                      graph.parameter("gamma", gamma), graph.parameter("beta", {8}),
                                      graph.state("mean", {8}), graph.state("variance", {8}),
                                      graph.input("z", z, Role::activation)};
    engine::apply(graph, "conv1", ConvolutionBatchNorm({}, kEpsilon, Tail::add_relu), inputs);
  };
  CHECK_THROWS_WITH_AS(node_of({8, 3, 1, 1}, {8}, {2, 8, 8, 8}), Contains("w must be (8,4,R,S)"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({8, 4, 1, 1}, {4}, {2, 8, 8, 8}),
                       "[convolution_batch_norm_add_relu conv1] gamma must be (8) for w (8,4,1,1), got (4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(node_of({8, 4, 1, 1}, {8}, {2, 8, 4, 4}),
                       "[convolution_batch_norm_add_relu conv1] z must be (2,8,8,8) as y is, got (2,8,4,4)",
                       std::invalid_argument);
}

TEST_CASE("convolution_batch_norm: every mutant is caught") {
  const Layer layer{{2, 24, 5, 5}, {24, 24, 3, 3}, {.pad_h = 1, .pad_w = 1}};
  for (const char* mutant : {"convolution_batch_norm.reference.w", "convolution_batch_norm.reference.b",
                             "convolution_batch_norm.reference.z", "convolution_batch_norm.reference.relu"}) {
    engine::active_mutation = mutant;
    INFO("mutant ", engine::active_mutation);
    CHECK(fold_error(layer, Tail::add_relu) > kIdentityTolerance);
  }
  engine::active_mutation.clear();
  testing::check_mutants(folded(layer, Tail::add_relu), {},
                         {"convolution_batch_norm.fast.w", "convolution_batch_norm.fast.b", "convolution_batch_norm.fast.z",
                          "convolution_batch_norm.fast.relu"},
                         kWinogradTolerance);
}
