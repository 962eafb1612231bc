#include "engine/compile/compile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "engine/compile/draft.hpp"
#include "engine/onednn.hpp"

namespace autodidact::engine {
namespace {

using compile_passes::Buffer;
using compile_passes::Draft;
using compile_passes::DraftTask;

Task finish_task(const Draft& draft, DraftTask& from) {
  Task task = std::move(from.task);
  const auto buffer = [&](int b) -> const Buffer& { return draft.buffers[static_cast<std::size_t>(b)]; };
  for (const int b : from.reads) task.reads.push_back(buffer(b).place);
  for (const int b : from.writes) {
    task.writes.push_back(buffer(b).place);
    task.write_types.push_back(buffer(b).type);
    task.write_names.push_back(buffer(b).name);
  }
  if (!from.writes.empty()) task.result = buffer(from.writes.front()).type;
  if (from.scratch >= 0) task.scratch = buffer(from.scratch).place;
  return task;
}

Program finish(Draft& draft) {
  compile_passes::place(draft);
  Program::Parts parts;
  for (DraftTask& task : draft.tasks) parts.tasks.push_back(finish_task(draft, task));
  parts.phases = std::move(draft.phases);
  const auto terminals = [&](const std::map<std::string, int>& from) {
    std::map<std::string, Terminal, std::less<>> to;
    for (const auto& [name, b] : from) {
      const Buffer& buffer = draft.buffers[static_cast<std::size_t>(b)];
      to.emplace(name, Terminal{buffer.type, buffer.place});
    }
    return to;
  };
  parts.inputs = terminals(draft.inputs);
  parts.outputs = terminals(draft.outputs);
  parts.gradients.assign(draft.gradients.begin(), draft.gradients.end());
  parts.dropped = std::move(draft.dropped);
  parts.slots = std::move(draft.slots);
  parts.memory = draft.memory;
  parts.planned = draft.planned;
  parts.replay = draft.replay;
  parts.number_type = draft.options.backend == Backend::reference ? DType::f64 : DType::f32;
  Program program(std::move(parts));
  const ValueId loss = draft.graph.loss();
  if (draft.options.gradients && draft.options.cotangents.empty() && loss.valid())
    program.set("d/" + draft.graph.value(loss).name, std::vector<double>{1.0});
  return program;
}

// How the branches run, as far as that is known before anything is measured; else automatic.
Branches decided(const Graph& graph, const CompileOptions& options, const Lanes& lanes) {
  // Side by side the branches' activations would be alive together.
  if (options.recompute == Recompute::stage) return Branches::in_turn;
  if (options.branches != Branches::automatic) return options.branches;
  const auto nodes = graph.nodes();
  const bool branched = std::any_of(nodes.begin(), nodes.end(), [](const Node& node) { return node.exit > 0; });
  if (!branched || lanes.layout().wide == 1 || !compile_passes::divisible(options)) return Branches::in_turn;
  if (options.inherit) return options.inherit->divided() ? Branches::side_by_side : Branches::in_turn;
  for (const Branches way : {Branches::side_by_side, Branches::in_turn})
    if (std::find(options.prefer.begin(), options.prefer.end(), line_of(way)) != options.prefer.end()) return way;
  return options.choose == Choose::measure ? Branches::automatic : Branches::side_by_side;
}

// With the sentences about dropped candidates of both.
Draft faster(Draft side_by_side, Draft in_turn) {
  const PlannedTimes planned{compile_passes::planned_ms(side_by_side), compile_passes::planned_ms(in_turn)};
  std::vector<std::string> dropped = side_by_side.dropped;
  for (const std::string& sentence : in_turn.dropped) {
    const std::string_view who = std::string_view(sentence).substr(0, sentence.find(") ") + 1);
    if (std::none_of(dropped.begin(), dropped.end(), [&](const std::string& other) { return other.starts_with(who); })) dropped.push_back(sentence);
  }
  // In turn, every small task waits for its slower thread: beside a process that keeps one of two cores busy the step takes 2.4 times as long, side by
  // side 2.0 times. So it must be faster by more than what measuring is off by.
  constexpr double kClearly = 0.95;
  Draft better = planned.in_turn_ms < kClearly * planned.side_by_side_ms ? std::move(in_turn) : std::move(side_by_side);
  better.planned = planned;
  better.dropped = std::move(dropped);
  return better;
}
}  // namespace

void require_bf16() {
  if (!onednn::has_bf16())
    throw std::invalid_argument(fmt::format("this CPU cannot compute in bf16: oneDNN {} sees {} here and needs AVX-512; --precision f32 or "
                                            "auto does without", onednn::version(), onednn::isa()));
}

Program compile(const Graph& graph, const CompileOptions& options, Lanes& lanes) {
  if (options.backend == Backend::fast && options.precision == Precision::bf16) require_bf16();
  Graph wanted = compile_passes::cut(graph, options);
  if (options.backend == Backend::fast) wanted = compile_passes::fuse(wanted, options);
  std::vector<Arena> trial_memory;
  const Branches known = decided(wanted, options, lanes);
  const bool compared = known == Branches::automatic;
  // Drafts refer to these.
  CompileOptions in_turn_options = options, options_of_draft = options;
  in_turn_options.branches = Branches::in_turn;
  options_of_draft.branches = compared ? Branches::side_by_side : known;
  const auto make = [&](const CompileOptions& settled) {
    Draft draft{.options = settled, .lanes = lanes, .trial_memory = trial_memory, .graph = wanted, .compared = compared};
    if (options.backend == Backend::reference) draft.replay = std::make_shared<Program::Replay>();
    compile_passes::differentiate(draft);
    compile_passes::choose(draft);
    compile_passes::schedule(draft);
    return draft;
  };
  Draft draft = make(options_of_draft);
  if (!compared) {
    trial_memory.clear();
    return finish(draft);
  }
  Draft in_turn = make(in_turn_options);
  trial_memory.clear();
  Draft better = faster(std::move(draft), std::move(in_turn));
  return finish(better);
}
}  // namespace autodidact::engine
