#include "engine/compile/wiring.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/assert.hpp"
#include "engine/onednn.hpp"
#include "engine/sum.hpp"

namespace autodidact::engine::compile_passes {
namespace {

DType number_type(const Draft& draft) {
  return draft.options.backend == Backend::reference ? DType::f64 : DType::f32;
}

// What the caller reads and writes, and what the engine adds up for him, is never bf16: only candidates ask for that.
Precision plain_precision(const Draft& draft) {
  return draft.options.backend == Backend::reference ? Precision::reference_f64 : Precision::f32;
}

std::string type_text(const TensorType& type) { return fmt::format("{} {}", name_of(type.dtype), type.layout_text()); }
}  // namespace

Wiring::Wiring(Draft& draft)
    : draft_(draft),
      base_(draft.graph.values().size(), -1),
      gradients_(draft.graph.values().size()),
      writers_(draft.graph.values().size(), 0),
      chosen_(draft.graph.nodes().size()),
      private_(draft.graph.values().size(), true),
      dropped_(draft.graph.values().size(), false),
      chain_(draft.graph.values().size(), 0) {
  for (const auto& [name, id] : draft.graph.outputs()) private_[static_cast<std::size_t>(id.index)] = false;
  // Made for the few threads of a narrow lane, but read by the wide one too, perhaps.
  for (const Step& step : draft.steps)
    if (step.pass == Pass::forward && step.branch == Task::kBeside)
      for (const ValueId id : draft.graph.node(step.node).outputs) private_[static_cast<std::size_t>(id.index)] = false;
  for (const Node& node : draft.graph.nodes())
    for (const ValueId id : node.inputs) {
      const Value& value = draft.graph.value(id);
      if (value.source == Source::node && branch_of(draft, draft.graph.node(value.producer)) != branch_of(draft, node))
        private_[static_cast<std::size_t>(id.index)] = false;
    }

  const Graph& graph = draft.graph;
  for (const Step& step : draft.steps)
    for (const Operand& write : step.writes)
      ++writers_[static_cast<std::size_t>(
          graph.node(step.node).inputs[static_cast<std::size_t>(write.index)].index)];
  for (int v = 0; v < static_cast<int>(base_.size()); ++v) {
    const Value& value = graph.value({v});
    if (value.source == Source::input) base({v}) = input_buffer(value.name, input_type({v}));
    if (value.source == Source::parameter) base({v}) = slot_buffer(value, Region::values);
    if (value.source == Source::state) base({v}) = slot_buffer(value, Region::states);
  }
  if (!draft.options.gradients) return;
  const auto seed = [&](ValueId id) {
    gradients(id).push_back(input_buffer("d/" + graph.value(id).name, plain_type(id)));
  };
  for (const std::string& name : draft.options.cotangents) seed(graph.outputs().at(name));
  if (draft.options.cotangents.empty() && graph.loss().valid()) seed(graph.loss());
}

TensorType Wiring::plain_type(ValueId id) const {
  const Value& value = draft_.graph.value(id);
  return {value.shape, storage(value.role, plain_precision(draft_), value.shape.rank()), {}};
}

// What a caller gives lies plain, but for a fed value of which the options say otherwise.
TensorType Wiring::input_type(ValueId id) const {
  TensorType type = plain_type(id);
  const auto& feeds = draft_.options.feed_types;
  if (const auto found = feeds.find(draft_.graph.value(id).name); found != feeds.end())
    type = {type.shape, found->second.dtype, found->second.format};
  return type;
}

int Wiring::new_buffer(std::string name, TensorType type, Place place) {
  draft_.buffers.push_back({std::move(name), type, type.bytes(), place});
  return static_cast<int>(draft_.buffers.size()) - 1;
}

int Wiring::new_blob(std::string name, std::size_t bytes, Place place) {
  const TensorType type{{static_cast<std::int64_t>(bytes)}, DType::u8, {}};
  return new_buffer(std::move(name), type, place);
}

int Wiring::slot_buffer(const Value& value, Region region) {
  const auto found = std::find(draft_.slots.begin(), draft_.slots.end(), value.name);
  const auto slot = static_cast<std::size_t>(found - draft_.slots.begin());
  if (found == draft_.slots.end()) draft_.slots.push_back(value.name);
  return new_buffer(value.name, {value.shape, number_type(draft_), {}}, {region, slot});
}

int Wiring::input_buffer(const std::string& name, TensorType type) {
  return draft_.inputs[name] = new_buffer(name, type, {Region::own, 0});
}

std::optional<TensorType> Wiring::type_of(ValueId value) const {
  if (base(value) < 0) return {};
  return draft_.buffers[static_cast<std::size_t>(base(value))].type;
}

int Wiring::summands(ValueId value) const {
  return static_cast<int>(gradients_[static_cast<std::size_t>(value.index)].size());
}

const std::string& Wiring::keeps_key(NodeId node) const {
  return chosen_[static_cast<std::size_t>(node.index)].key;
}

const std::vector<TensorType>& Wiring::keeps(const Step& step, const Candidate& candidate) const {
  return step.pass == Pass::forward ? candidate.keeps
                                    : chosen_[static_cast<std::size_t>(step.node.index)].keep_types;
}

std::size_t Wiring::reorder_bytes(const Step& step, const Query& query,
                                  const Candidate& candidate) const {
  std::size_t bytes = 0;
  const Node& node = query.node;
  const auto differs = [&](int buffer, const TensorType& type) {
    return buffer >= 0 && draft_.buffers[static_cast<std::size_t>(buffer)].type != type;
  };
  for (const OperandType& wanted : candidate.types) {
    const auto index = static_cast<std::size_t>(wanted.operand.index);
    if (wanted.operand.kind == Operand::Kind::input &&
        differs(base(node.inputs[index]), wanted.type) &&
        !copies_.contains({base(node.inputs[index]), wanted.type, step.branch}))
      bytes += wanted.type.bytes();
    if (wanted.operand.kind == Operand::Kind::d_output)
      for (const int buffer : gradients_[static_cast<std::size_t>(node.outputs[index].index)])
        if (differs(buffer, wanted.type)) bytes += wanted.type.bytes();
    const bool writes = std::find(step.writes.begin(), step.writes.end(), wanted.operand) != step.writes.end();
    if (writes && differs(base(node.inputs[index]), wanted.type)) bytes += wanted.type.bytes();
  }
  return bytes;
}

Task Wiring::describe(const Node& node, Pass pass, std::string suffix, int branch) const {
  Task task;
  task.name = suffix.empty() ? node.label : node.label + ": " + suffix;
  task.pass = pass;
  task.branch = branch;
  task.threads = draft_.options.backend == Backend::reference ? 1 : threads_of(draft_, branch);
  return task;
}

int Wiring::reordered(int buffer, const TensorType& type, int branch, Pass pass) {
  if (draft_.buffers[static_cast<std::size_t>(buffer)].type == type) return buffer;
  const std::tuple key(buffer, type, branch);
  if (const auto found = copies_.find(key); found != copies_.end()) return found->second;
  const TensorType from = draft_.buffers[static_cast<std::size_t>(buffer)].type;
  const std::string name = draft_.buffers[static_cast<std::size_t>(buffer)].name;
  const int copy = new_buffer(name, type);
  copies_[key] = copy;
  DraftTask task;
  task.task.name = "reorder " + name;
  task.task.branch = branch;
  task.task.threads = threads_of(draft_, branch);
  task.task.candidate = "reorder";
  const bool converts = from.dtype != type.dtype;
  task.task.implementation = converts ? type_text(from) + " to " + type_text(type) : from.layout_text() + " to " + type.layout_text();
  task.task.kernel = [primitive = onednn::make_reorder(from, type)](Lane&, const Arguments& a) {
    primitive.execute({a.read(0), a.write(0)}, nullptr);
  };
  task.reads = {buffer};
  task.writes = {copy};
  task.task.pass = pass;
  draft_.tasks.push_back(std::move(task));
  return copy;
}

int Wiring::gradient_as(ValueId value, int summand, const TensorType& type, int branch) {
  return reordered(gradients(value)[static_cast<std::size_t>(summand)], type, branch, Pass::backward);
}

int Wiring::summed_gradient(ValueId value, const TensorType& type, int branch) {
  if (gradients(value).size() > 1) {
    std::vector<int> reads;
    for (int s = 0; s < summands(value); ++s) reads.push_back(gradient_as(value, s, type, branch));
    const std::string name = "d/" + draft_.graph.value(value).name;
    const int sum = new_buffer(name, type);
    DraftTask task;
    task.task.name = "sum " + name;
    task.task.branch = branch;
    task.task.threads = threads_of(draft_, branch);
    task.task.pass = Pass::backward;
    task.task.candidate = "own";
    task.task.kernel = sum_kernel(static_cast<int>(reads.size()), type);
    task.in_place = {{sum, reads.front()}};
    task.reads = reads;
    task.writes = {sum};
    draft_.tasks.push_back(std::move(task));
    gradients(value) = {sum};
  }
  return gradient_as(value, 0, type, branch);
}

// A parameter's only gradient goes straight to the store; others are buffers to be summed or read.
int Wiring::new_gradient(ValueId id, const TensorType& type) {
  const Value& value = draft_.graph.value(id);
  const bool last = value.source == Source::parameter && writers_[static_cast<std::size_t>(id.index)] == 1;
  if (value.source == Source::parameter) draft_.gradients.insert(value.name);
  const int buffer = last ? slot_buffer(value, Region::gradients) : new_buffer("d/" + value.name, type);
  gradients(id).push_back(buffer);
  return buffer;
}

void Wiring::finish() {
  const Graph& graph = draft_.graph;
  for (int v = 0; v < static_cast<int>(base_.size()); ++v) {
    const Value& value = graph.value({v});
    const bool parameter = value.source == Source::parameter && gradients({v}).size() > 1;
    const auto& wanted = draft_.options.differentiate;
    const bool output = value.source == Source::input && draft_.options.gradients &&
                        std::find(wanted.begin(), wanted.end(), value.name) != wanted.end();
    if (!parameter && !output) continue;
    AUTODIDACT_ASSERT(!gradients({v}).empty());
    const int sum = summed_gradient({v}, plain_type({v}), 0);
    if (parameter) {
      const int target = slot_buffer(value, Region::gradients);
      draft_.buffers[static_cast<std::size_t>(sum)].place = draft_.buffers[static_cast<std::size_t>(target)].place;
    } else {
      draft_.outputs["d/" + value.name] = sum;
      draft_.buffers[static_cast<std::size_t>(sum)].place = {Region::own, 0};
    }
  }
  for (const auto& [name, id] : graph.outputs()) {
    draft_.outputs[name] = base(id);
    Buffer& buffer = draft_.buffers[static_cast<std::size_t>(base(id))];
    if (buffer.place.region == Region::arena) buffer.place = {Region::own, 0};
  }
}
}  // namespace autodidact::engine::compile_passes
