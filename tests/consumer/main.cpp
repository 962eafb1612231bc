// The installed library from a stranger's side: a graph of two ops, compiled, run once, its result checked by hand.
//
// y = σ(x ⊛ w) with x = 1 on a 3×3 plane, w = 1 and padding 1: the convolution counts the neighbours of a pixel, so it
// is 4 in a corner and 9 in the middle. <autodidact/…> and root-relative includes must both resolve.
#include <autodidact/autodidact.hpp>
#include <cmath>
#include <cstdio>
#include <memory>

#include "ops/convolution.hpp"
#include "ops/sigmoid.hpp"

int main() {
  namespace engine = autodidact::engine;
  namespace ops = autodidact::ops;

  engine::Graph graph;
  const engine::ValueId x = graph.input("x", {1, 1, 3, 3}, engine::Role::activation);
  const engine::ValueId w = graph.parameter("conv.weight", {1, 1, 3, 3});
  const engine::ValueId neighbours =
      engine::apply(graph, "conv", ops::Convolution({.pad_h = 1, .pad_w = 1}), {x, w});
  graph.output("y", engine::apply(graph, "sigmoid", ops::Sigmoid(), {neighbours}));

  engine::Lanes lanes;
  engine::Program program = engine::compile(
      graph, {.mode = engine::Mode::infer, .choose = engine::Choose::fixed, .gradients = false},
      lanes);
  engine::ParameterStore store(std::make_shared<engine::ParameterLayout>(graph),
                               engine::DType::f32);
  const std::vector<double> ones(9, 1.0);
  store.set(engine::Section::values, *store.layout().parameter("conv.weight"), ones);
  program.set("x", ones);
  engine::Executor(lanes).run(program, store);

  const std::vector<double> y = program.get("y");
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  std::printf("corner %.6f, middle %.6f\n", y[0], y[4]);
  return std::abs(y[0] - sigmoid(4)) < 1e-5 && std::abs(y[4] - sigmoid(9)) < 1e-5 ? 0 : 1;
}
