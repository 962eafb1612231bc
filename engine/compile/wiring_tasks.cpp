// The part of Wiring that turns emitted tasks into draft tasks.
#include <fmt/format.h>

#include <algorithm>

#include "engine/compile/wiring.hpp"

namespace autodidact::engine::compile_passes {

TensorType Wiring::wanted_type(const Current& now, Operand operand) const {
  return operand_type(*now.query, *now.candidate,
                      chosen_[static_cast<std::size_t>(now.step.node.index)].keep_types, operand);
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
      return reordered(available(now, value), wanted_type(now, operand), now.branch, now.step.pass);
    }
    case Kind::output: return reordered(available(now, now.node.outputs[index]), wanted_type(now, operand), now.branch, now.step.pass);
    case Kind::d_output: {
      const ValueId value = now.node.outputs[index];
      const TensorType type = wanted_type(now, operand);
      return now.candidate->takes_summands ? gradient_as(value, operand.summand, type, now.branch)
                                           : summed_gradient(value, type, now.branch);
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
  task.task = describe(now.node, now.step.pass, std::move(suffix), now.branch);
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
    const auto [entry, fresh] = packed_.emplace(fmt::format("{} {} {}", names, pack.key, now.branch), -1);
    if (fresh) {
      entry->second = new_blob(names + " packed", pack.bytes, {Region::own, 0});
      push(now, "pack", std::move(reads), {entry->second}, std::move(pack.kernel), pack.scratch_bytes, true);
    }
    now.packs.push_back(entry->second);
  }
}

void Wiring::add(const Step& step, const Query& query, const Candidate& candidate, Emission emission) {
  const Node& node = draft_.graph.node(step.node);
  Current now{step, node, &query, &candidate, step.branch, {}, {}};
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
  if (draft_.options.recompute == Recompute::stage) sum_early(step, now.branch);
}

// Where memory counts for more than time, gradients of one value do not wait for the last of them.
void Wiring::sum_early(const Step& step, int branch) {
  const Node& node = draft_.graph.node(step.node);
  for (const Operand& write : step.writes) {
    const ValueId value = node.inputs[static_cast<std::size_t>(write.index)];
    if (draft_.graph.value(value).source != Source::node || summands(value) < 2) continue;
    const TensorType type = draft_.buffers[static_cast<std::size_t>(gradients(value).front())].type;
    summed_gradient(value, type, branch);
  }
}
}  // namespace autodidact::engine::compile_passes
