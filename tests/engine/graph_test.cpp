#include "engine/graph.hpp"

#include <doctest/doctest.h>

#include "engine/op.hpp"
#include "ops/multiply.hpp"

using namespace autodidact::engine;
using autodidact::ops::Multiply;

TEST_CASE("a node's value carries its name, its shape and its exit") {
  Graph graph;
  const ValueId a = graph.input("a", {2, 3, 4, 4}, Role::activation);
  ValueId y;
  {
    const auto scope = graph.exit(2);
    y = apply(graph, "gate", Multiply(), {a, a});
  }
  const ValueId z = apply(graph, "after", Multiply(), {y, a});
  CHECK(graph.find("gate") == y);
  CHECK(graph.value(y).shape == Shape{2, 3, 4, 4});
  CHECK(graph.node(graph.value(y).producer).exit == 2);
  CHECK(graph.node(graph.value(z).producer).exit == 0);
  CHECK_FALSE(graph.find("nothing").valid());
}

TEST_CASE("a graph refuses what does not fit, by name") {
  Graph graph;
  const ValueId a = graph.input("a", {2, 3, 4, 4}, Role::activation);
  const ValueId label = graph.input("label", {2}, Role::label);
  const ValueId b = graph.input("b", {2, 5, 4, 4}, Role::activation);
  CHECK_THROWS_WITH(graph.input("a", {1}, Role::scalar), "[a] the graph already has a value of this name");
  CHECK_THROWS_WITH(apply(graph, "m", Multiply(), {a}), "[multiply m] takes 2 inputs, got 1");
  CHECK_THROWS_AS(apply(graph, "m", Multiply(), {a, label}), std::invalid_argument);
  CHECK_THROWS_AS(apply(graph, "m", Multiply(), {a, b}), std::invalid_argument);
  for (const int exit : {-1, Graph::kMostExits + 1}) CHECK_THROWS_AS((void)graph.exit(exit), std::invalid_argument);
}
