#include "ops/attention_gate.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "ops/multiply.hpp"
#include "ops/sigmoid.hpp"
#include "ops/upsample.hpp"
#include "tests/ops/op_harness.hpp"
#include "tests/ops/padded_channels.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Mode, engine::Role, engine::Shape, engine::ValueId;

constexpr std::int64_t kSamples = 2, kChannels = 24;  // a tail in blocks of 16

struct Planes {
  std::int64_t x_height, x_width, a_height, a_width;
  Shape x() const { return {kSamples, kChannels, x_height, x_width}; }
  Shape a() const { return {kSamples, kChannels, a_height, a_width}; }
};
// As trained; an odd stage; an attention map that is larger than x; of one pixel.
constexpr Planes kPlanes[] = {{8, 8, 4, 4}, {7, 9, 4, 5}, {3, 4, 8, 7}, {5, 5, 1, 1}};

testing::OpCase gate(const Planes& planes, std::vector<std::string> differentiate = {"x", "a"}) {
  return {.build =
              [planes](Graph& graph) {
                return engine::apply(graph, "gate", ops::AttentionGate(),
                                     {graph.input("x", planes.x(), Role::activation),
                                      graph.input("a", planes.a(), Role::activation)});
              },
          .differentiate = std::move(differentiate)};
}

ValueId up(Graph& graph, ValueId a, const Planes& planes) {
  return engine::apply(graph, "up", ops::Upsample(planes.x_height, planes.x_width), {a});
}
ValueId sigmoid(Graph& graph, ValueId u) {
  return engine::apply(graph, "sigmoid", ops::Sigmoid(), {u});
}
ValueId multiply(Graph& graph, ValueId x, ValueId g) {
  return engine::apply(graph, "gate", ops::Multiply(), {x, g});
}

// The same function of the same x and a, by three ops.
testing::OpCase chain(const Planes& planes, bool swapped) {
  auto op = gate(planes);
  op.build = [planes, swapped](Graph& graph) {
    const ValueId x = graph.input("x", planes.x(), Role::activation);
    const ValueId a = graph.input("a", planes.a(), Role::activation);
    const ValueId g = sigmoid(graph, up(graph, a, planes));
    return swapped ? multiply(graph, g, x) : multiply(graph, x, g);
  };
  return op;
}

std::optional<engine::Rewrite> match(const Graph& graph, ValueId root) {
  return ops::AttentionGateRule().match(graph, graph.value(root).producer, Mode::train);
}
}  // namespace

TEST_CASE("attention_gate: the gradients are the derivatives") {
  for (const Planes& planes : kPlanes)
    CHECK(testing::finite_difference_error(gate(planes)) <= testing::kSmoothTolerance);
}

TEST_CASE("attention_gate: fast is the reference, whichever gradients are wanted") {
  for (const Planes& planes : kPlanes)
    CHECK(testing::worst(testing::fast_errors(gate(planes))) <= testing::kF32Tolerance);
  for (const char* only : {"x", "a"})
    CHECK(testing::worst(testing::fast_errors(gate(kPlanes[0], {only}))) <= testing::kF32Tolerance);
}

TEST_CASE("attention_gate: is up-sampling, sigmoid and product, in both backends, fused or not") {
  static const ops::AttentionGateRule rule;
  static const engine::FusionRule* const rules[] = {&rule};
  for (const Planes& planes : kPlanes)
    for (const bool swapped : {false, true}) {
      auto three = chain(planes, swapped), fused = three;
      fused.fusions = rules;
      const auto exact = testing::run(three, Backend::reference);
      const auto gate_exact = testing::run(gate(planes), Backend::reference);
      const auto fast = testing::run(three, Backend::fast);
      const auto fused_fast = testing::run(fused, Backend::fast);
      for (const char* name : {"y", "d/x", "d/a"}) {
        // The loss of a chain and of a gate is Σ dy·y with the same dy: it is drawn after the same inputs.
        CHECK(engine::relative_error(gate_exact.at(name), exact.at(name)) <= 1e-14);
        CHECK(engine::relative_error(fast.at(name), exact.at(name)) <= testing::kF32Tolerance);
        CHECK(engine::relative_error(fused_fast.at(name), exact.at(name)) <=
              testing::kF32Tolerance);
      }
    }
}

TEST_CASE("attention_gate: the rule finds the chain with the factors in either order") {
  for (const bool swapped : {false, true}) {
    Graph graph;
    const ValueId x = graph.input("x", kPlanes[0].x(), Role::activation);
    const ValueId a = graph.input("a", kPlanes[0].a(), Role::activation);
    const ValueId u = up(graph, a, kPlanes[0]), g = sigmoid(graph, u);
    const ValueId y = swapped ? multiply(graph, g, x) : multiply(graph, x, g);
    const auto rewrite = match(graph, y);
    REQUIRE(rewrite);
    CHECK(rewrite->op->kind() == "attention_gate");
    CHECK(rewrite->inputs == std::vector<ValueId>{x, a});
    CHECK(rewrite->covers == std::vector<engine::NodeId>{graph.value(u).producer,
                                                         graph.value(g).producer,
                                                         graph.value(y).producer});
  }
}

TEST_CASE("attention_gate: the rule leaves alone what somebody else reads") {
  Graph graph;
  const ValueId x = graph.input("x", kPlanes[0].x(), Role::activation);
  const ValueId a = graph.input("a", kPlanes[0].a(), Role::activation);
  const ValueId u = up(graph, a, kPlanes[0]);
  SUBCASE("the gate is read by another node") {
    const ValueId g = sigmoid(graph, u), y = multiply(graph, x, g);
    engine::apply(graph, "other", ops::Sigmoid(), {g});
    CHECK(!match(graph, y));
  }
  SUBCASE("the up-sampled map is read by another node") {
    const ValueId y = multiply(graph, x, sigmoid(graph, u));
    engine::apply(graph, "other", ops::Sigmoid(), {u});
    CHECK(!match(graph, y));
  }
  SUBCASE("the gate is an output of the graph") {
    const ValueId g = sigmoid(graph, u), y = multiply(graph, x, g);
    graph.output("value/sigmoid", g);
    CHECK(!match(graph, y));
  }
  SUBCASE("the gate is both factors") {
    const ValueId g = sigmoid(graph, u);
    CHECK(!match(graph, multiply(graph, g, g)));
  }
  SUBCASE("the up-sampled map is the other factor") {
    CHECK(!match(graph, multiply(graph, u, sigmoid(graph, u))));
  }
  SUBCASE("there is no sigmoid") { CHECK(!match(graph, multiply(graph, x, u))); }
  SUBCASE("there is no up-sampling") {
    CHECK(!match(
        graph,
        multiply(graph, x, sigmoid(graph, graph.input("g", kPlanes[0].x(), Role::activation)))));
  }
}

TEST_CASE("attention_gate: padded channels stay zero") {
  CHECK(testing::largest_padding(ops::AttentionGate(), {kPlanes[1].x(), kPlanes[1].a()}) == 0);
}

TEST_CASE("attention_gate: bad shapes are refused by name") {
  const auto node_of = [](Shape x, Shape a) {
    Graph graph;
    return engine::apply(
        graph, "attention1.gate", ops::AttentionGate(),
        {graph.input("x", x, Role::activation), graph.input("a", a, Role::activation)});
  };
  CHECK_THROWS_WITH_AS(node_of({4, 8}, {4, 8, 2, 2}),
                       "[attention_gate attention1.gate] x must be (N,C,H,W), got (4,8)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      node_of({4, 8, 4, 4}, {4, 16, 2, 2}),
      "[attention_gate attention1.gate] a must be (4,8,h,w) like x, with h, w ≥ 1, got (4,16,2,2)",
      std::invalid_argument);
}

TEST_CASE("attention_gate: every broken formula is noticed") {
  testing::check_mutants(
      gate(kPlanes[1]),
      {"attention_gate.reference.y", "attention_gate.reference.dx", "attention_gate.reference.da"},
      {"attention_gate.fast.y", "attention_gate.fast.dx", "attention_gate.fast.da"}, 1e-3);
}
