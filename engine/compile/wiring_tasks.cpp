// The part of Wiring that turns emitted tasks, and the reference's one task, into draft tasks.
#include <fmt/format.h>

#include <algorithm>

#include "engine/assert.hpp"
#include "engine/compile/wiring.hpp"

namespace autodidact::engine::compile_passes {

TensorType Wiring::wanted_type(const Current& now, Operand operand) const {
  return operand_type(*now.query, *now.candidate,
                      chosen_[static_cast<std::size_t>(now.step.node.index)].keep_types, operand);
}

int Wiring::chain_before(const Node& node) const {
  int longest = 0;
  for (const ValueId id : node.inputs) longest = std::max(longest, chain_[static_cast<std::size_t>(id.index)]);
  return longest;
}

// Made again by about one sweep over memory, and so are the few values that it is made of and that are not kept either.
bool Wiring::is_cheap(const Node& node, const Candidate& candidate) const {
  // Of the outputs of residual blocks every fifth is kept: the first reader of a chain brings all of it back at once.
  constexpr int kLongestChain = 4;
  return candidate.again && chain_before(node) < kLongestChain;
}

// After a node's forward pass. Primitives are made in the lane that runs them, so a value can be made again only for readers in its own.
void Wiring::decide_dropping(const Node& node, const Candidate& candidate) {
  // A smaller buffer is not worth a task.
  constexpr std::int64_t kSmallestElements = std::int64_t{1} << 14U;
  const Recompute wish = draft_.options.recompute;
  if (wish == Recompute::none || node.outputs.size() != 1) return;
  const auto output = static_cast<std::size_t>(node.outputs.front().index);
  const Value& value = draft_.graph.value(node.outputs.front());
  if (!private_[output] || value.shape.count() < kSmallestElements) return;
  if (wish == Recompute::stage && value.checkpoint) return;
  const bool cheap = is_cheap(node, candidate);
  if (cheap) chain_[output] = chain_before(node) + 1;
  dropped_[output] = cheap || (wish == Recompute::stage && (candidate.again || candidate.keeps.empty()));
}

int Wiring::available(const Current& now, ValueId value) {
  const bool backward = now.step.pass != Pass::forward && now.step.pass != Pass::commit;
  if (backward && dropped_[static_cast<std::size_t>(value.index)]) recompute(value);
  return base(value);
}

// Whatever it needs that has been dropped as well is made on the way. Of that, what is cheap goes again: its reader in backward
// makes it a second time.
void Wiring::recompute(ValueId value) {
  std::vector<ValueId> made;
  const bool outermost = sweep_ == nullptr;
  if (outermost) sweep_ = &made;
  const NodeId producer = draft_.graph.value(value).producer;
  const Chosen chosen = chosen_[static_cast<std::size_t>(producer.index)];
  Emission emission(*draft_.options.communicator);
  (chosen.candidate->again ? chosen.candidate->again : chosen.candidate->emit)(emission);
  dropped_[static_cast<std::size_t>(value.index)] = false;
  base(value) = -1;  // the emitted task writes a buffer of its own, which all later readers take
  add({producer, Pass::recompute, {}}, *chosen.query, *chosen.candidate, std::move(emission));
  if (!outermost) {
    sweep_->push_back(value);
    return;
  }
  sweep_ = nullptr;
  const auto chain = [&](ValueId id) { return chain_[static_cast<std::size_t>(id.index)]; };
  if (std::all_of(made.begin(), made.end(), [&](ValueId id) { return chain(id) > 0; })) return;
  for (const ValueId id : made)
    if (chain(id) > 0) dropped_[static_cast<std::size_t>(id.index)] = true;
}

int Wiring::read(Current& now, Operand operand) {
  using Kind = Operand::Kind;
  const auto index = static_cast<std::size_t>(operand.index);
  switch (operand.kind) {
    case Kind::temporary: return now.temporaries[index];
    case Kind::packed: return now.packs[index];
    case Kind::kept: return chosen_[static_cast<std::size_t>(now.step.node.index)].keep_buffers[index];
    case Kind::input: {
      const ValueId value = now.node.inputs[index];
      if (draft_.graph.value(value).shape.rank() != 4 || draft_.graph.value(value).source == Source::parameter)
        return available(now, value);
      return reordered(available(now, value), wanted_type(now, operand), now.lane, now.step.pass);
    }
    case Kind::output: return reordered(available(now, now.node.outputs[index]), wanted_type(now, operand), now.lane, now.step.pass);
    case Kind::d_output: {
      const ValueId value = now.node.outputs[index];
      const TensorType type = wanted_type(now, operand);
      return now.candidate->takes_summands ? gradient_as(value, operand.summand, type, now.lane)
                                           : summed_gradient(value, type, now.lane);
    }
    case Kind::d_input: {  // read back what an earlier task of this pass wrote
      return gradients(now.node.inputs[index]).back();
    }
    case Kind::staged: return slot_buffer(draft_.graph.value(now.node.inputs[index]), Region::staged_states);
  }
  return -1;
}

int Wiring::written(Current& now, Operand operand) {
  using Kind = Operand::Kind;
  const auto index = static_cast<std::size_t>(operand.index);
  switch (operand.kind) {
    case Kind::output: {
      const ValueId value = now.node.outputs[index];
      if (base(value) < 0) base(value) = new_buffer(draft_.graph.value(value).name, wanted_type(now, operand));
      return base(value);
    }
    case Kind::d_input: {
      const ValueId value = now.node.inputs[index];
      return new_gradient(value, wanted_type(now, operand));
    }
    default: return read(now, operand);
  }
}

void Wiring::push(const Current& now, std::string suffix, std::vector<int> reads, std::vector<int> writes,
                  Kernel kernel, std::size_t scratch_bytes, bool pack) {
  DraftTask task;
  task.task = describe(now.node, now.step.pass, std::move(suffix), now.lane);
  task.task.node = now.node.name;
  task.task.pack = pack;
  task.task.kernel = std::move(kernel);
  task.task.scratch_bytes = scratch_bytes;
  if (now.candidate) {
    task.task.candidate = now.candidate->id;
    task.task.implementation = now.candidate->implementation;
    task.task.formats = formats_text(*now.candidate);
  }
  task.reads = std::move(reads);
  task.writes = std::move(writes);
  if (scratch_bytes) task.scratch = new_blob(task.task.name + " scratch", scratch_bytes);
  draft_.tasks.push_back(std::move(task));
}

void Wiring::add_packs(Current& now, Emission& emission) {
  for (EmittedPack& pack : emission.packs) {
    std::vector<int> reads;
    std::string names;
    for (const Operand& parameter : pack.parameters) {
      const ValueId id = now.node.inputs[static_cast<std::size_t>(parameter.index)];
      reads.push_back(base(id));
      names += (names.empty() ? "" : ", ") + draft_.graph.value(id).name;
    }
    const auto [entry, fresh] = packed_.emplace(fmt::format("{} {} {}", names, pack.key, now.lane), -1);
    if (fresh) {
      entry->second = new_blob(names + " packed", pack.bytes, {Region::own, 0});
      push(now, "pack", std::move(reads), {entry->second}, std::move(pack.kernel), pack.scratch_bytes, true);
    }
    now.packs.push_back(entry->second);
  }
}

void Wiring::add(const Step& step, const Query& query, const Candidate& candidate, Emission emission) {
  const Node& node = draft_.graph.node(step.node);
  Current now{step, node, &query, &candidate, lane_of(draft_, node), {}, {}};
  Chosen& chosen = chosen_[static_cast<std::size_t>(step.node.index)];
  if (step.pass == Pass::forward) {
    chosen.query = std::make_shared<const Query>(query);
    chosen.candidate = std::make_shared<const Candidate>(candidate);
    chosen.key = candidate.keeps_key;
    chosen.keep_types = candidate.keeps;
    decide_dropping(node, candidate);
    for (std::size_t i = 0; i < candidate.keeps.size(); ++i)
      chosen.keep_buffers.push_back(new_buffer(fmt::format("{} keeps {}", node.name, i), candidate.keeps[i]));
  }
  for (std::size_t i = 0; i < emission.temporaries.size(); ++i)
    now.temporaries.push_back(new_blob(fmt::format("{} temporary {}", node.name, i), emission.temporaries[i]));
  add_packs(now, emission);

  std::map<Operand, int> already;  // a gradient that two tasks of this pass write in turn is one buffer
  for (EmittedTask& emitted : emission.tasks) {
    std::vector<int> reads, writes;
    for (const Operand& operand : emitted.reads) reads.push_back(already.contains(operand) ? already[operand] : read(now, operand));
    for (const Operand& operand : emitted.writes) {
      if (!already.contains(operand)) already[operand] = written(now, operand);
      writes.push_back(already[operand]);
    }
    std::vector<std::pair<int, int>> in_place;
    for (const auto& [write, source] : candidate.in_place) {
      const auto w = std::find(emitted.writes.begin(), emitted.writes.end(), write);
      const auto r = std::find(emitted.reads.begin(), emitted.reads.end(), source);
      if (w != emitted.writes.end() && r != emitted.reads.end())
        in_place.emplace_back(writes[static_cast<std::size_t>(w - emitted.writes.begin())],
                              reads[static_cast<std::size_t>(r - emitted.reads.begin())]);
    }
    push(now, emitted.suffix, std::move(reads), std::move(writes), std::move(emitted.kernel), emitted.scratch_bytes, false);
    draft_.tasks.back().in_place = std::move(in_place);
  }
  if (draft_.options.recompute == Recompute::stage) sum_early(step, now.lane);
}

// Where memory counts for more than time, gradients of one value do not wait for the last of them.
void Wiring::sum_early(const Step& step, int lane) {
  const Node& node = draft_.graph.node(step.node);
  for (const Operand& write : step.writes) {
    const ValueId value = node.inputs[static_cast<std::size_t>(write.index)];
    if (draft_.graph.value(value).source != Source::node || summands(value) < 2) continue;
    const TensorType type = draft_.buffers[static_cast<std::size_t>(gradients(value).front())].type;
    summed_gradient(value, type, lane);
  }
}

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
