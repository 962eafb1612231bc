#include "engine/compile/compile.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "engine/compile/planner.hpp"
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
}  // namespace

void require_bf16() {
  if (!onednn::has_bf16())
    throw std::invalid_argument(fmt::format("this CPU cannot compute in bf16: oneDNN {} sees {} here and needs AVX-512; --precision f32 or "
                                            "auto does without", onednn::version(), onednn::isa()));
}

std::set<std::string> beside_lines(const Program& program) {
  std::set<std::string> lines;
  for (const Task& task : program.tasks())
    if (task.branch == Task::kBeside && !task.node.empty() && task.pass != Pass::recompute) lines.insert(beside_line(task.node, task.pass));
  return lines;
}

Program compile(const Graph& graph, const CompileOptions& options, Lanes& lanes) {
  if (options.backend == Backend::fast && options.precision == Precision::bf16) require_bf16();
  Graph wanted = compile_passes::cut(graph, options);
  if (options.backend == Backend::fast) wanted = compile_passes::fuse(wanted, options);
  compile_passes::Planner planner(wanted, options, lanes);
  Draft draft = planner.plan();
  return finish(draft);
}
}  // namespace autodidact::engine
