// The part of Wiring that makes a step of the reference backend its one task.
#include <fmt/format.h>

#include "engine/compile/wiring.hpp"

namespace autodidact::engine::compile_passes {
namespace {

// The shapes of one reference task, in the order of its reads and writes, and how to make views of them.
struct ReferenceTask {
  std::shared_ptr<const Op> op;
  Pass pass = Pass::forward;
  Mode mode = Mode::train;
  std::vector<Shape> inputs, outputs, keeps;
  std::vector<bool> detached;      // inputs that replay reads from the snapshot
  std::vector<int> gradient_of;    // write index of d_input i, or −1
  std::vector<int> staged_of;      // write index of staged i, or −1
  std::shared_ptr<Program::Replay> replay;

  double* address(const void* data, bool from_snapshot) const {
    auto* bytes = static_cast<std::byte*>(const_cast<void*>(data));
    if (!from_snapshot || !replay->on) return reinterpret_cast<double*>(bytes);
    const auto offset = static_cast<std::size_t>(bytes - replay->arena);
    // Inputs of the program lie outside the arena and do not change between runs.
    return offset < replay->snapshot.size() ? reinterpret_cast<double*>(replay->snapshot.data() + offset)
                                            : reinterpret_cast<double*>(bytes);
  }

  void operator()(Lane&, const Arguments& a) const {
    ReferenceArguments r;
    r.replay = replay->on;
    r.mode = mode;
    int reads = 0, writes = 0;
    const bool forward = pass == Pass::forward;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      r.inputs.push_back({address(a.read(reads++), detached[i]), inputs[i]});
    for (const Shape& shape : outputs)
      r.outputs.push_back({address(forward ? a.write(writes++) : a.read(reads++), false), shape});
    for (const Shape& shape : keeps)
      r.kept.push_back({address(forward ? a.write(writes++) : a.read(reads++), false), shape});
    if (!forward && pass != Pass::commit)
      for (const Shape& shape : outputs) r.d_outputs.push_back({address(a.read(reads++), false), shape});
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      r.d_inputs.push_back({gradient_of[i] < 0 ? nullptr : a.write<double>(gradient_of[i]), inputs[i]});
      r.staged.push_back({staged_of[i] < 0 ? nullptr : a.write<double>(staged_of[i]), inputs[i]});
    }
    op->reference(pass, r);
  }
};
}  // namespace

void Wiring::add_reference(const Step& step) {
  const Graph& graph = draft_.graph;
  const Node& node = graph.node(step.node);
  Chosen& chosen = chosen_[static_cast<std::size_t>(step.node.index)];
  ReferenceTask task{node.op, step.pass, draft_.options.mode, {}, {}, {}, {}, {}, {}, draft_.replay};
  const auto ports = node.op->inputs();
  std::vector<int> reads, writes;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    task.inputs.push_back(graph.value(node.inputs[i]).shape);
    task.detached.push_back(!ports[i].differentiable && ports[i].role == Role::activation);
    reads.push_back(base(node.inputs[i]));
  }
  const auto keeps = node.op->reference_keeps(task.inputs);
  task.keeps = keeps;
  task.gradient_of.assign(node.inputs.size(), -1);
  task.staged_of.assign(node.inputs.size(), -1);
  const bool forward = step.pass == Pass::forward;
  for (const ValueId id : node.outputs) {
    task.outputs.push_back(graph.value(id).shape);
    if (forward) base(id) = new_buffer(graph.value(id).name, plain_type(id));
    (forward ? writes : reads).push_back(base(id));
  }
  for (std::size_t i = 0; i < keeps.size(); ++i) {
    if (forward)
      chosen.keep_buffers.push_back(new_buffer(fmt::format("{} keeps {}", node.name, i), {keeps[i], DType::f64, {}}));
    (forward ? writes : reads).push_back(chosen.keep_buffers[i]);
  }
  if (!forward && step.pass != Pass::commit)
    for (const ValueId id : node.outputs) reads.push_back(summed_gradient(id, plain_type(id), 0));
  for (const Operand& write : step.writes) {
    task.gradient_of[static_cast<std::size_t>(write.index)] = static_cast<int>(writes.size());
    const ValueId id = node.inputs[static_cast<std::size_t>(write.index)];
    writes.push_back(new_gradient(id, plain_type(id)));
  }
  if (step.pass == Pass::commit)
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (graph.value(node.inputs[i]).source == Source::state) {
        task.staged_of[i] = static_cast<int>(writes.size());
        writes.push_back(slot_buffer(graph.value(node.inputs[i]), Region::staged_states));
      }
  Current now{step, node, nullptr, nullptr, 0, {}, {}};
  push(now, "", std::move(reads), std::move(writes), std::move(task), 0, false);
  draft_.tasks.back().task.candidate = "reference";
  draft_.tasks.back().task.implementation = "plain loops";
}
}  // namespace autodidact::engine::compile_passes
