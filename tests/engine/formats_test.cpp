// The choice of formats over the whole graph: against trying all, and where choosing step by step goes wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "engine/compile/draft.hpp"
#include "engine/onednn.hpp"
#include "engine/random.hpp"
#include "ops/convolution.hpp"
#include "ops/multiply.hpp"
#include "ops/sigmoid.hpp"

using namespace autodidact::engine;
using namespace autodidact::engine::compile_passes;

namespace {

// Two layers, the second gated by the first.
Graph small_graph() {
  using autodidact::ops::Convolution, autodidact::ops::Multiply, autodidact::ops::Sigmoid;
  Graph graph;
  const auto layer = [&](const std::string& name, ValueId x) {
    return apply(graph, name + ".sigmoid", Sigmoid(), {apply(graph, name, Convolution({}), {x, graph.parameter(name + ".weight", {24, 24, 1, 1})})});
  };
  const ValueId first = layer("first", graph.input("x", {2, 24, 8, 8}, Role::activation));
  graph.output("y", apply(graph, "gate", Multiply(), {first, layer("second", first)}));
  return graph;
}

bool holds(const StepFormats& formats, Operand operand) {
  return std::find(formats.operands.begin(), formats.operands.end(), operand) != formats.operands.end();
}

// What the steps take with these formats, and the reorders between them, by the definition.
double cost_of(const Draft& draft, const std::vector<FormatKind>& kinds) {
  double ms = 0;
  struct Moved {
    std::vector<FormatKind> writers, readers;
  };
  std::map<std::pair<int, bool>, Moved> moved;  // by value, and whether it is the gradient
  for (std::size_t s = 0; s < kinds.size(); ++s) {
    ms += draft.formats[s].ms[static_cast<std::size_t>(kinds[s])];
    const Node& node = draft.graph.node(draft.steps[s].node);
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
      const int value = node.inputs[static_cast<std::size_t>(i)].index;
      if (holds(draft.formats[s], in(i))) moved[{value, false}].readers.push_back(kinds[s]);
      if (holds(draft.formats[s], d_in(i))) moved[{value, true}].writers.push_back(kinds[s]);
    }
    const int value = node.outputs.front().index;
    if (holds(draft.formats[s], out()) && draft.steps[s].pass == Pass::forward) moved[{value, false}].writers.push_back(kinds[s]);
    if (holds(draft.formats[s], d_out())) moved[{value, true}].readers.push_back(kinds[s]);
  }
  for (const auto& [key, users] : moved) {
    const Value& value = draft.graph.value({key.first});
    if (value.source != Source::node) continue;
    for (const FormatKind writer : users.writers)
      if (std::any_of(users.readers.begin(), users.readers.end(), [&](FormatKind reader) { return reader != writer; }))
        ms += reorder_ms(static_cast<std::size_t>(value.shape.count()) * sizeof(float));
  }
  return ms;
}
}  // namespace

TEST_CASE("formats: no other choice takes less time, whatever the times are") {
  const CompileOptions options{.cotangents = {"y"}, .differentiate = {"x"}};
  Lanes lanes(1);
  std::vector<Arena> memory;
  Draft draft{.options = options, .lanes = lanes, .trial_memory = memory, .graph = small_graph()};
  differentiate(draft);
  const std::size_t steps = draft.steps.size();
  REQUIRE(steps == 12);
  const double reorder = reorder_ms(2 * 24 * 8 * 8 * sizeof(float));
  int mixed = 0;
  for (std::uint64_t sample = 0; sample < 20; ++sample) {
    Random random(7, Purpose::probe, 0, sample);
    draft.formats.assign(steps, {});
    for (std::size_t s = 0; s < steps; ++s) {
      StepFormats& formats = draft.formats[s];
      for (double& ms : formats.ms) ms = 2 * reorder * random.uniform();
      const Node& node = draft.graph.node(draft.steps[s].node);
      for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i)
        if (draft.steps[s].pass != Pass::backward_data && draft.graph.value(node.inputs[static_cast<std::size_t>(i)]).source != Source::parameter)
          formats.operands.push_back(in(i));
      if (draft.steps[s].pass == Pass::forward) formats.operands.push_back(out());
      else formats.operands.push_back(d_out());
      for (const Operand& write : draft.steps[s].writes)
        if (draft.graph.value(node.inputs[static_cast<std::size_t>(write.index)]).source != Source::parameter) formats.operands.push_back(write);
    }
    double least = 1e9;
    for (std::size_t bits = 0; bits < std::size_t{1} << steps; ++bits) {
      std::vector<FormatKind> kinds(steps);
      for (std::size_t s = 0; s < steps; ++s) kinds[s] = bits >> s & 1U ? FormatKind::channels_last : FormatKind::blocks;
      least = std::min(least, cost_of(draft, kinds));
    }
    const std::vector<FormatKind> best = best_formats(draft);
    CHECK(cost_of(draft, best) == doctest::Approx(least).epsilon(1e-5));  // whole nanoseconds
    mixed += std::count(best.begin(), best.end(), FormatKind::blocks) % static_cast<std::ptrdiff_t>(steps) != 0;
  }
  CHECK(mixed > 5);
}

TEST_CASE("formats: a backward pass has the format that its forward pass kept something in") {
  const CompileOptions options{.cotangents = {"y"}};
  Lanes lanes(1);
  std::vector<Arena> memory;
  Draft draft{.options = options, .lanes = lanes, .trial_memory = memory, .graph = small_graph()};
  differentiate(draft);
  draft.formats.assign(draft.steps.size(), {});
  draft.formats[1].ms = {1, 2};  // forward of the first sigmoid
  for (std::size_t s = 0; s < draft.steps.size(); ++s)
    if (draft.steps[s].node.index == draft.steps[1].node.index && draft.steps[s].pass != Pass::forward) {
      draft.formats[s].ms = {5, 2};
      for (const bool bound : {false, true}) {
        draft.formats[s].bound = bound;
        const auto best = best_formats(draft);
        CHECK(best[1] == (bound ? FormatKind::channels_last : FormatKind::blocks));
        CHECK(best[s] == FormatKind::channels_last);
      }
    }
}

namespace {
// Takes so long with blocks, and so long with channels last, and does nothing.
class Choosy final : public Op {
 public:
  Choosy(std::string name, int blocks_ms, int last_ms) : name_(std::move(name)), ms_{blocks_ms, last_ms} {}
  std::string_view kind() const override { return "choosy"; }
  std::string describe() const override { return name_; }
  std::vector<Port> inputs() const override { return {{"x"}}; }
  std::vector<Shape> infer(std::string_view, std::span<const Shape> shapes) const override { return {shapes[0]}; }
  std::vector<BackwardTask> backward() const override { return {}; }
  void reference(Pass, const ReferenceArguments&) const override {}
  bool needs_every_format() const override { return true; }
  std::vector<Candidate> candidates(const Query& query) const override {
    std::vector<Candidate> all;
    for (const std::int64_t block : query.blocks) {
      const TensorType type = query.type(query.inputs[0], block);
      Candidate& candidate = all.emplace_back();
      candidate.id = candidate.implementation = "own";
      candidate.types = {{in(0), type}, {out(), type}};
      candidate.emit = [ms = ms_[block == Query::kChannelsLast]](Emitter& emitter) {
        emitter.task({"", {in(0)}, {out()}, 0, [ms](Lane&, const Arguments&) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }});
      };
    }
    return all;
  }

 private:
  std::string name_;
  int ms_[2];
};

Program chain(Lanes& lanes, const std::string& name, const std::vector<std::pair<int, int>>& blocks_and_last) {
  Graph graph;
  ValueId x = graph.input("x", {8, 32, 128, 256}, Role::activation);
  for (std::size_t k = 0; k < blocks_and_last.size(); ++k)
    x = apply(graph, "step" + std::to_string(k), Choosy(name + std::to_string(k), blocks_and_last[k].first, blocks_and_last[k].second), {x});
  graph.output("y", x);
  return compile(graph, {.gradients = false}, lanes);
}

std::string formats_of(const Program& program) {
  std::string formats;
  for (const Task& task : program.tasks())
    if (!task.node.empty()) formats += task.result.layout_text() + ' ';
  return formats;
}
}  // namespace

TEST_CASE("formats: a step loses a little where those behind it gain more, although none of them gains a reorder") {
  Lanes lanes(1);
  // A reorder is taken to cost 4.2 ms.
  const std::string blocks = TensorType{{1, 32, 1, 1}, DType::f32, {onednn::preferred_block()}}.layout_text() + ' ', last = "nhwc ";
  CHECK(formats_of(chain(lanes, "gains later", {{4, 6}, {14, 11}, {14, 11}, {14, 11}})) == last + last + last + last);
  CHECK(formats_of(chain(lanes, "gains a reorder", {{4, 20}, {14, 11}, {14, 11}, {14, 11}})) == blocks + last + last + last);
  CHECK(formats_of(chain(lanes, "gains nothing", {{4, 10}, {14, 12}, {10, 20}})) == blocks + blocks + blocks);
  CHECK(formats_of(chain(lanes, "gains two reorders", {{4, 10}, {30, 4}, {4, 10}})) == blocks + last + blocks);
}
