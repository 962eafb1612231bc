// formats: blocks of channels or channels last for every step, over the whole graph at once, so that the time of all steps and of the reorders between them
// is least.
//
// Each step is a vertex of a network of pipes, blocks are its source and channels last its sink; a cut leaves each step on one of the two sides. The pipe from
// the source to a step takes the time of its fastest candidate with channels last, cut if the step is on the side of the sink; that from it to the sink the time
// with blocks. A value is written by one step and read by others: if one of them is on the other side, one reorder is due, however many they are. So each value has
// two vertices of its own, w → a of the capacity of the reorder and a → r without limit for each reader r, which costs it if the writer is with blocks and a reader is not,
// and r → b → w for the opposite. The least cut is the best choice, and its capacity the time (Greig, Porteous and Seheult, J. R. Stat. Soc. B 51, 1989).
#include <lemon/preflow.h>
#include <lemon/smart_graph.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "engine/compile/draft.hpp"
#include "engine/onednn.hpp"

namespace autodidact::engine::compile_passes {
namespace {

using Pipes = lemon::SmartDigraph;

// Whole nanoseconds: flows are exact.
std::int64_t nanoseconds(double ms) { return std::llround(std::min(ms, 1e7) * 1e6); }
constexpr std::int64_t kUnlimited = std::int64_t{1} << 60U;

class Network {
 public:
  explicit Network(std::size_t steps) : source_(pipes_.addNode()), sink_(pipes_.addNode()) {
    for (std::size_t s = 0; s < steps; ++s) steps_.push_back(pipes_.addNode());
  }

  void add_times(std::size_t step, const StepFormats& formats) {
    // Where both are equal it stays as it is.
    const auto cost = [&](FormatKind kind) { return nanoseconds(formats.ms[static_cast<std::size_t>(kind)]) + (formats.chosen == kind ? 0 : 1); };
    add(source_, steps_[step], cost(FormatKind::channels_last));
    add(steps_[step], sink_, cost(FormatKind::blocks));
  }

  void add_value(std::size_t writer, const std::set<std::size_t>& readers, double reorder_ms) {
    const auto a = pipes_.addNode(), b = pipes_.addNode();
    add(steps_[writer], a, nanoseconds(reorder_ms));
    add(b, steps_[writer], nanoseconds(reorder_ms));
    for (const std::size_t reader : readers) {
      add(a, steps_[reader], kUnlimited);
      add(steps_[reader], b, kUnlimited);
    }
  }

  // Both on one side.
  void tie(std::size_t step, std::size_t other) {
    add(steps_[step], steps_[other], kUnlimited);
    add(steps_[other], steps_[step], kUnlimited);
  }

  std::vector<FormatKind> cut() const {
    lemon::Preflow<Pipes, Pipes::ArcMap<std::int64_t>> flow(pipes_, capacity_, source_, sink_);
    flow.runMinCut();
    std::vector<FormatKind> kinds;
    for (const auto& step : steps_) kinds.push_back(flow.minCut(step) ? FormatKind::blocks : FormatKind::channels_last);
    return kinds;
  }

 private:
  void add(const Pipes::Node& from, const Pipes::Node& to, std::int64_t capacity) { capacity_[pipes_.addArc(from, to)] = capacity; }

  Pipes pipes_;
  Pipes::ArcMap<std::int64_t> capacity_{pipes_};
  Pipes::Node source_, sink_;
  std::vector<Pipes::Node> steps_;
};

// Who writes a value or its gradient, and who reads it.
struct Users {
  std::set<std::size_t> writers, readers;
};

class Survey {
 public:
  explicit Survey(const Draft& draft) : draft_(draft) {
    for (std::size_t s = 0; s < draft.steps.size(); ++s) {
      const Node& node = draft.graph.node(draft.steps[s].node);
      for (const Operand& operand : draft.formats[s].operands) add(s, node, operand);
    }
  }

  void add_to(Network& network) const {
    const auto differ = [&](ValueId value) {
      TensorType blocks{draft_.graph.value(value).shape, DType::f32, {onednn::preferred_block()}}, last = blocks;
      last.format.block = blocks.shape[1];
      return blocks != last;
    };
    const auto add_all = [&](const std::map<int, Users>& all) {
      for (const auto& [value, users] : all)
        if (!users.readers.empty() && differ({value}))
          for (const std::size_t writer : users.writers) network.add_value(writer, users.readers, cost_of({value}));
    };
    add_all(values_);
    add_all(gradients_);
  }

 private:
  void add(std::size_t step, const Node& node, const Operand& operand) {
    using Kind = Operand::Kind;
    const auto index = static_cast<std::size_t>(operand.index);
    const bool of_output = operand.kind == Kind::output || operand.kind == Kind::d_output;
    const ValueId id = of_output ? node.outputs[index] : node.inputs[index];
    const Value& value = draft_.graph.value(id);
    // Images and weights have one format whatever is chosen; what it costs to reorder images is part of a step's times.
    if (value.shape.rank() != 4 || value.source != Source::node) return;
    if (operand.kind == Kind::input) values_[id.index].readers.insert(step);
    if (operand.kind == Kind::output && draft_.steps[step].pass == Pass::forward) values_[id.index].writers.insert(step);
    if (operand.kind == Kind::output && draft_.steps[step].pass != Pass::forward) values_[id.index].readers.insert(step);
    if (operand.kind == Kind::d_output) gradients_[id.index].readers.insert(step);
    if (operand.kind == Kind::d_input) gradients_[id.index].writers.insert(step);
  }

  double cost_of(ValueId id) const {
    const Shape& shape = draft_.graph.value(id).shape;
    return reorder_ms(TensorType{shape, storage(Role::activation, draft_.options.precision, 4), {}}.bytes());
  }

  const Draft& draft_;
  std::map<int, Users> values_, gradients_;
};
}  // namespace

std::vector<FormatKind> best_formats(const Draft& draft) {
  Network network(draft.steps.size());
  std::map<int, std::size_t> forward;  // steps, by node
  for (std::size_t s = 0; s < draft.steps.size(); ++s) {
    network.add_times(s, draft.formats[s]);
    if (draft.steps[s].pass == Pass::forward) forward[draft.steps[s].node.index] = s;
    else if (draft.formats[s].bound) network.tie(forward.at(draft.steps[s].node.index), s);
  }
  Survey(draft).add_to(network);
  return network.cut();
}
}  // namespace autodidact::engine::compile_passes
