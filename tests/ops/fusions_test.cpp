#include "ops/fusions.hpp"

#include <doctest/doctest.h>

#include "engine/compile/compile.hpp"
#include "ops/add.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution_batch_norm.hpp"
#include "ops/relu.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Mode, engine::NodeId, engine::Role, engine::Shape, engine::ValueId;

const Shape kShape{2, 8, 4, 4};

ValueId input(Graph& graph, const char* name) {
  return graph.input(name, kShape, Role::activation);
}

ValueId batch_norm(Graph& graph, const std::string& name, ValueId x) {
  const Shape channels{kShape[1]};
  return engine::apply(
      graph, name, ops::BatchNorm({.epsilon = 0.25}),
      {x, graph.parameter(name + ".weight", channels), graph.parameter(name + ".bias", channels),
       graph.state(name + ".running_mean", channels),
       graph.state(name + ".running_var", channels)});
}
ValueId relu(Graph& graph, ValueId x) { return engine::apply(graph, "relu", ops::Relu(), {x}); }
ValueId add(Graph& graph, ValueId a, ValueId b) {
  return engine::apply(graph, "sum", ops::Add(), {a, b});
}

// What the rules make of the node that produces `value`.
std::optional<engine::Rewrite> match(const Graph& graph, ValueId value) {
  for (const engine::FusionRule* rule : ops::fusion_rules())
    if (auto rewrite = rule->match(graph, graph.value(value).producer, Mode::train)) return rewrite;
  return {};
}
}  // namespace

TEST_CASE("fusions: a batch norm and its ReLU become one op with the same attributes") {
  Graph graph;
  const ValueId normalised = batch_norm(graph, "bn", input(graph, "x"));
  const ValueId y = relu(graph, normalised);
  graph.output("y", y);
  const auto rewrite = match(graph, y);
  REQUIRE(rewrite);
  CHECK(rewrite->op->kind() == "batch_norm_relu");
  CHECK(dynamic_cast<const ops::BatchNorm&>(*rewrite->op).options.epsilon == 0.25);
  CHECK(rewrite->covers ==
        std::vector<NodeId>{graph.value(normalised).producer, graph.value(y).producer});
  CHECK(rewrite->inputs == graph.node(graph.value(normalised).producer).inputs);
}

TEST_CASE("fusions: a batch norm, a sum in either order and a ReLU become one op") {
  for (const bool swapped : {false, true}) {
    Graph graph;
    const ValueId normalised = batch_norm(graph, "bn", input(graph, "x")), z = input(graph, "z");
    const ValueId y = relu(graph, swapped ? add(graph, z, normalised) : add(graph, normalised, z));
    const auto rewrite = match(graph, y);
    REQUIRE(rewrite);
    CHECK(rewrite->op->kind() == "batch_norm_add_relu");
    CHECK(rewrite->covers.size() == 3);
    CHECK(rewrite->covers.back() == graph.value(y).producer);
    REQUIRE(rewrite->inputs.size() == 6);
    CHECK(rewrite->inputs.back() == z);
  }
}

TEST_CASE("fusions: of two batch norms in a sum one stays, and gives z") {
  Graph graph;
  const ValueId main = batch_norm(graph, "bn2", input(graph, "x"));
  const ValueId shortcut = batch_norm(graph, "downsample.1", input(graph, "s"));
  const auto rewrite = match(graph, relu(graph, add(graph, main, shortcut)));
  REQUIRE(rewrite);
  CHECK(rewrite->covers.front() == graph.value(main).producer);
  CHECK(rewrite->inputs.back() == shortcut);
}

TEST_CASE("fusions: what somebody else uses stays visible") {
  SUBCASE("another node reads the normalised value") {
    Graph graph;
    const ValueId normalised = batch_norm(graph, "bn", input(graph, "x"));
    const ValueId y = relu(graph, normalised);
    engine::apply(graph, "other", ops::Relu(), {normalised});
    CHECK(!match(graph, y));
  }
  SUBCASE("the normalised value is an output of the graph") {
    Graph graph;
    const ValueId normalised = batch_norm(graph, "bn", input(graph, "x"));
    graph.output("value/bn", normalised);
    CHECK(!match(graph, relu(graph, normalised)));
  }
  SUBCASE("the sum is an output of the graph") {
    Graph graph;
    const ValueId sum = add(graph, batch_norm(graph, "bn", input(graph, "x")), input(graph, "z"));
    graph.output("value/sum", sum);
    CHECK(!match(graph, relu(graph, sum)));
  }
  SUBCASE("the normalised value is both terms of the sum") {
    Graph graph;
    const ValueId normalised = batch_norm(graph, "bn", input(graph, "x"));
    CHECK(!match(graph, relu(graph, add(graph, normalised, normalised))));
  }
  SUBCASE("the first of two batch norms is seen from outside: the second is taken") {
    Graph graph;
    const ValueId first = batch_norm(graph, "bn2", input(graph, "x"));
    const ValueId second = batch_norm(graph, "downsample.1", input(graph, "s"));
    graph.output("value/bn2", first);
    const auto rewrite = match(graph, relu(graph, add(graph, first, second)));
    REQUIRE(rewrite);
    CHECK(rewrite->covers.front() == graph.value(second).producer);
    CHECK(rewrite->inputs.back() == first);
  }
}

TEST_CASE("fusions: a ReLU behind anything else is left alone") {
  Graph graph;
  CHECK(!match(graph, relu(graph, input(graph, "x"))));
  CHECK(!match(graph, engine::apply(graph, "second", ops::Relu(), {graph.find("relu")})));
  CHECK(!match(graph, engine::apply(graph, "third", ops::Relu(),
                                    {add(graph, input(graph, "a"), input(graph, "b"))})));
}

TEST_CASE("fusions: a convolution takes its batch norm with it, in inference only") {
  Graph graph;
  const ValueId x = input(graph, "x"), z = input(graph, "z");
  const ValueId convolved = engine::apply(graph, "conv", ops::Convolution({.pad_h = 1, .pad_w = 1}),
                                          {x, graph.parameter("w", {8, 8, 3, 3})});
  const ValueId normalised = batch_norm(graph, "bn", convolved);
  const auto folded = [&](ValueId root, Mode mode) {
    return ops::ConvolutionBatchNormRule().match(graph, graph.value(root).producer, mode);
  };
  SUBCASE("alone") {
    const auto rewrite = folded(normalised, Mode::infer);
    REQUIRE(rewrite);
    CHECK(rewrite->op->kind() == "convolution_batch_norm");
    CHECK(dynamic_cast<const ops::ConvolutionBatchNorm&>(*rewrite->op).epsilon == 0.25);
    CHECK(rewrite->covers.size() == 2);
    CHECK(!folded(normalised, Mode::train));
    CHECK(!folded(convolved, Mode::infer));
  }
  SUBCASE("with a ReLU") {
    const auto rewrite = folded(relu(graph, normalised), Mode::infer);
    REQUIRE(rewrite);
    CHECK(rewrite->op->kind() == "convolution_batch_norm_relu");
    CHECK(rewrite->covers.size() == 3);
  }
  SUBCASE("with a sum and a ReLU") {
    const auto rewrite = folded(relu(graph, add(graph, z, normalised)), Mode::infer);
    REQUIRE(rewrite);
    CHECK(rewrite->op->kind() == "convolution_batch_norm_add_relu");
    CHECK(rewrite->covers.size() == 4);
    CHECK(rewrite->inputs.size() == 7);
    CHECK(rewrite->inputs.front() == x);
    CHECK(rewrite->inputs.back() == z);
  }
  SUBCASE("not where somebody else reads what was convolved") {
    engine::apply(graph, "other", ops::Relu(), {convolved});
    CHECK(!folded(normalised, Mode::infer));
  }
  SUBCASE("not where gradients are wanted: it has no backward") {
    graph.output("y", normalised);
    engine::Lanes lanes(1);
    engine::CompileOptions options{.mode = Mode::infer, .choose = engine::Choose::fixed, .cotangents = {"y"},
                                   .fusions = ops::fusion_rules()};
    CHECK(engine::compile(graph, options, lanes).gradients().size() == 3);
  }
}
