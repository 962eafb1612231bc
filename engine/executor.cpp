#include "engine/executor.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/bf16.hpp"

namespace autodidact::engine {
namespace {

template <class T>
bool all_finite(const void* data, std::int64_t count) {
  const auto* numbers = static_cast<const T*>(data);
  return std::all_of(numbers, numbers + count, [](T number) { return std::isfinite(static_cast<double>(number)); });
}

bool finite(const void* data, const TensorType& type) {
  if (type.dtype == DType::f64) return all_finite<double>(data, type.elements());
  if (type.dtype == DType::f32) return all_finite<float>(data, type.elements());
  if (type.dtype == DType::bf16) return all_finite<Bf16>(data, type.elements());
  return true;
}
}  // namespace

void Executor::run_task(Program& program, Lane& lane, std::int32_t index, StepFlags flags) {
  const Task& task = program.tasks()[static_cast<std::size_t>(index)];
  if (task.pack && !packs_stale_) return;
  if (flags.forward_only && task.pass != Pass::forward) return;
  if (!flags.time_tasks) return task.kernel(lane, program.arguments(index));
  const auto start = std::chrono::steady_clock::now();
  task.kernel(lane, program.arguments(index));
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  double& best = task_ms_[static_cast<std::size_t>(index)];
  best = std::min(best, time.count());
}

void Executor::run_phase(Program& program, const Phase& phase, StepFlags flags) {
  const auto run_list = [&](Lane& lane, int list) {
    for (const std::int32_t index : phase.lists[static_cast<std::size_t>(list)]) run_task(program, lane, index, flags);
  };
  const auto run_first = [&](Lane& lane) { run_list(lane, 0); };
  // By reference: a std::function of the lambda itself would allocate, in every phase of every step.
  if (phase.wide) lanes_.run_wide(std::cref(run_first));
  else lanes_.run_narrow(static_cast<int>(phase.lists.size()), std::cref(run_list));
}

void Executor::run(Program& program, ParameterStore& store, StepFlags flags) {
  program.bind(store, arena_);
  packs_stale_ = program.packed_version != store.version();
  if (program.replay) program.replay->on = flags.replay;
  if (flags.time_tasks && task_ms_.size() != program.tasks().size())
    task_ms_.assign(program.tasks().size(), std::numeric_limits<double>::max());
  store.stage();
  for (const Phase& phase : program.phases()) run_phase(program, phase, flags);
  if (!flags.forward_only) program.packed_version = store.version();  // else weights that backward reads are still to be packed
}

std::optional<NonFinite> Executor::run_checked(Program& program, ParameterStore& store) {
  program.bind(store, arena_);
  packs_stale_ = true;
  if (program.replay) program.replay->on = false;
  store.stage();
  std::optional<NonFinite> bad;
  const auto check = [&](Lane& lane, std::int32_t index) {
    if (bad) return;
    run_task(program, lane, index, {});
    const Task& task = program.tasks()[static_cast<std::size_t>(index)];
    const Arguments arguments = program.arguments(index);
    for (int i = 0; i < static_cast<int>(task.writes.size()) && !bad; ++i)
      if (!finite(arguments.write(i), task.write_types[static_cast<std::size_t>(i)]))
        bad = {task.name, task.write_names[static_cast<std::size_t>(i)], task.pass};
  };
  for (const Phase& phase : program.phases()) {
    for (const auto& list : phase.lists) {
      if (phase.wide)
        lanes_.run_wide([&](Lane& lane) {
          for (const std::int32_t index : list) check(lane, index);
        });
      else
        lanes_.run_narrow(1, [&](Lane& lane, int) {
          for (const std::int32_t index : list) check(lane, index);
        });
    }
  }
  return bad;
}

void Executor::snapshot(Program& program) {
  if (program.replay)
    program.replay->snapshot.assign(arena_.data(), arena_.data() + program.memory().arena);
}
}  // namespace autodidact::engine
