// bench_ops: the main ops at the shapes that they have in ResNet-18 of width 64 on images of 32 px, batch 128, f32, on every core.
//
//     bench_ops --benchmark_filter=convolution --benchmark_min_time=1
//
// The time of a row is that of both passes; forward_ms and backward_ms are the smallest of each, reorders included.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/random.hpp"
#include "ops/attention_gate.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution.hpp"
#include "ops/convolution_batch_norm.hpp"
#include "ops/linear.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Mode, engine::Role, engine::Section, engine::Shape, engine::ValueId;

constexpr std::int64_t kBatch = 128;

struct Case {
  std::string name;
  std::function<ValueId(Graph&)> build;
  std::vector<std::string> differentiate = {"x"};
  Mode mode = Mode::train;
};

engine::Lanes& lanes() {
  static engine::Lanes all;
  return all;
}

// Positive numbers: variances are some of them.
void fill(engine::Program& program, engine::ParameterStore& store) {
  engine::Random random(1, engine::Purpose::probe);
  const auto numbers = [&](std::int64_t count) {
    std::vector<double> made(static_cast<std::size_t>(count));
    for (double& number : made) number = random.uniform(0.1, 1);
    return made;
  };
  for (const engine::Slot& slot : store.layout().parameters()) store.set(Section::values, slot, numbers(slot.count));
  for (const engine::Slot& slot : store.layout().states()) store.set(Section::states, slot, numbers(slot.count));
  for (const auto& [name, terminal] : program.inputs()) program.set(name, numbers(terminal.type.shape.count()));
  store.touched();
}

void measure(benchmark::State& state, const Case& one) {
  Graph graph;
  graph.output("y", one.build(graph));
  const bool training = one.mode == Mode::train;
  engine::CompileOptions options;
  options.mode = one.mode;
  options.gradients = training;
  if (training) options.cotangents = {"y"};
  if (training) options.differentiate = one.differentiate;
  engine::Program program = engine::compile(graph, options, lanes());
  engine::ParameterStore store(std::make_shared<const engine::ParameterLayout>(graph), engine::DType::f32);
  fill(program, store);
  engine::Executor executor(lanes());
  executor.run(program, store);
  for (auto _ : state) executor.run(program, store, {.time_tasks = true});

  double forward = 0, backward = 0;
  for (std::size_t i = 0; i < program.tasks().size(); ++i) {
    const engine::Task& task = program.tasks()[i];
    const bool first = task.pass == engine::Pass::forward || task.pass == engine::Pass::commit;
    if (!task.pack) (first ? forward : backward) += executor.task_ms()[i];
    if (!task.node.empty() && task.pass == engine::Pass::forward) state.SetLabel(task.candidate + " " + task.implementation);
  }
  state.counters["forward_ms"] = forward;
  if (training) state.counters["backward_ms"] = backward;
}

ops::ConvolutionGeometry geometry(std::int64_t kernel, std::int64_t stride, std::int64_t groups = 1) {
  return {groups, stride, stride, kernel / 2, kernel / 2, 1, 1};
}

std::vector<ValueId> norm(Graph& graph, std::vector<ValueId> inputs, std::int64_t channels) {
  for (const char* name : {"gamma", "beta"}) inputs.push_back(graph.parameter(name, {channels}));
  for (const char* name : {"mean", "variance"}) inputs.push_back(graph.state(name, {channels}));
  return inputs;
}

Case convolution(const std::string& text, std::int64_t from, std::int64_t to, std::int64_t side, std::int64_t kernel,
                 std::int64_t stride, std::int64_t groups = 1) {
  return {"convolution/" + text, [=](Graph& graph) {
            return engine::apply(graph, "op", ops::Convolution(geometry(kernel, stride, groups)),
                                 {graph.input("x", {kBatch, from, side, side}, Role::activation),
                                  graph.parameter("w", {to, from / groups, kernel, kernel})});
          }};
}

// Inference: the batch norm is part of the weights.
Case folded(const std::string& text, std::int64_t channels, std::int64_t side) {
  return {"convolution_batch_norm_add_relu/" + text,
          [=](Graph& graph) {
            const Shape x{kBatch, channels, side, side};
            auto inputs = norm(graph, {graph.input("x", x, Role::activation), graph.parameter("w", {channels, channels, 3, 3})},
                               channels);
            inputs.push_back(graph.input("z", x, Role::activation));
            return engine::apply(graph, "op", ops::ConvolutionBatchNorm(geometry(3, 1), 1e-5, ops::Tail::add_relu), inputs);
          },
          {},
          Mode::infer};
}

Case batch_norm(const std::string& text, ops::Tail tail, std::int64_t channels, std::int64_t side) {
  const bool add = tail == ops::Tail::add_relu;
  std::vector<std::string> inputs{"x"};
  if (add) inputs.push_back("z");
  return {text,
          [=](Graph& graph) {
            const Shape x{kBatch, channels, side, side};
            auto values = norm(graph, {graph.input("x", x, Role::activation)}, channels);
            if (add) values.push_back(graph.input("z", x, Role::activation));
            return engine::apply(graph, "op", ops::BatchNorm({}, tail), values);
          },
          inputs};
}

std::vector<Case> cases() {
  return {
      convolution("stem_3x3_3_64_32px", 3, 64, 32, 3, 1),
      convolution("layer1_3x3_64_64_32px", 64, 64, 32, 3, 1),
      convolution("layer2_3x3_64_128_32px_stride2", 64, 128, 32, 3, 2),
      convolution("layer2_3x3_128_128_16px", 128, 128, 16, 3, 1),
      convolution("layer3_3x3_256_256_8px", 256, 256, 8, 3, 1),
      convolution("layer4_3x3_512_512_4px", 512, 512, 4, 3, 1),
      convolution("shortcut_1x1_64_128_32px_stride2", 64, 128, 32, 1, 2),
      convolution("scala_1x1_64_64_16px", 64, 64, 16, 1, 1),
      convolution("scala_3x3_depthwise_64_32px_stride2", 64, 64, 32, 3, 2, 64),
      folded("layer1_64_32px", 64, 32),
      folded("layer4_512_4px", 512, 4),
      batch_norm("batch_norm_relu/layer1_64_32px", ops::Tail::relu, 64, 32),
      batch_norm("batch_norm_add_relu/layer1_64_32px", ops::Tail::add_relu, 64, 32),
      batch_norm("batch_norm_add_relu/layer4_512_4px", ops::Tail::add_relu, 512, 4),
      {"attention_gate/layer1_64_32px",
       [](Graph& graph) {
         return engine::apply(graph, "op", ops::AttentionGate(),
                              {graph.input("x", {kBatch, 64, 32, 32}, Role::activation),
                               graph.input("a", {kBatch, 64, 16, 16}, Role::activation)});
       },
       {"x", "a"}},
      {"linear/fc_512_100",
       [](Graph& graph) {
         return engine::apply(graph, "op", ops::Linear(),
                              {graph.input("x", {kBatch, 512}, Role::activation), graph.parameter("w", {100, 512}),
                               graph.parameter("b", {100})});
       }},
  };
}
}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const Case& one : cases())
    benchmark::RegisterBenchmark(one.name.c_str(), measure, one)->Unit(benchmark::kMillisecond)->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
