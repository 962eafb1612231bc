#include "train/scaling.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>

#include "train/plan_choices.hpp"

namespace autodidact::train {
namespace {

// Of the tasks of one program, by what they are: the n-th of a name and a pass.
using TaskKey = std::tuple<std::string, engine::Pass, int>;
using TaskTimes = std::map<TaskKey, double>;

std::vector<TaskKey> keys_of(const engine::Program& program) {
  std::map<std::pair<std::string, engine::Pass>, int> seen;
  std::vector<TaskKey> keys;
  for (const engine::Task& task : program.tasks()) keys.emplace_back(task.name, task.pass, seen[{task.name, task.pass}]++);
  return keys;
}

// Every task on all threads of the lanes, by the algorithms of `choices`.
TaskTimes time_undivided(TrainerOptions options, const std::string& choices, const data::Batch& batch, engine::Lanes& lanes, int runs) {
  options.programs.lanes = false;
  options.programs.prefer = lines_of(choices);
  Trainer trainer(options, lanes);
  engine::Program& program = trainer.programs().training(static_cast<std::int64_t>(batch.count));
  const auto ms = trainer.time_tasks(program, batch, runs);
  const auto keys = keys_of(program);
  TaskTimes times;
  for (std::size_t t = 0; t < keys.size(); ++t) times[keys[t]] = ms[t];
  return times;
}

double list_ms(const std::vector<TaskScaling>& list, int threads) {
  double ms = 0;
  for (const TaskScaling& task : list) ms += task.ms(threads);
  return ms;
}

// The next list goes to the lane that is free first; the slowest lane decides.
double split_ms(const ScalingPhase& phase, const engine::Lanes::Layout& layout) {
  std::vector<double> lanes(static_cast<std::size_t>(layout.narrow_count), 0);
  for (const auto& list : phase.lists) *std::min_element(lanes.begin(), lanes.end()) += list_ms(list, layout.narrow_size);
  return *std::max_element(lanes.begin(), lanes.end());
}
}  // namespace

TaskScaling task_scaling(double one_ms, double several_ms, int threads) {
  const double serial = std::clamp((threads * several_ms - one_ms) / (threads - 1), 0.0, std::max(one_ms, several_ms));
  return {serial, std::max(0.0, one_ms - serial)};
}

double simulated_seconds(const std::vector<ScalingPhase>& phases, const engine::Lanes::Layout& layout) {
  double ms = 0;
  for (const ScalingPhase& phase : phases) ms += phase.wide ? list_ms(phase.lists.front(), layout.wide) : split_ms(phase, layout);
  return ms / 1000;
}

std::vector<ScalingPhase> measure_scaling(const TrainerOptions& options, const data::Batch& batch, engine::Lanes& lanes, int runs) {
  const int threads = lanes.layout().wide;
  if (threads < 2) throw std::invalid_argument("how a step scales cannot be seen on one thread: there must be two or more");
  Trainer trainer(options, lanes);
  engine::Program& program = trainer.programs().training(static_cast<std::int64_t>(batch.count));
  const auto divided = trainer.time_tasks(program, batch, runs);
  const std::string choices = plan_choices(program);
  const TaskTimes several = time_undivided(options, choices, batch, lanes, runs);
  engine::Lanes single(1);
  const TaskTimes one = time_undivided(options, choices, batch, single, runs);

  // A task that only the divided program has, as a reorder between lanes, is not known to get faster.
  const auto keys = keys_of(program);
  const auto scaling = [&](std::int32_t t) {
    const auto a = one.find(keys[static_cast<std::size_t>(t)]), b = several.find(keys[static_cast<std::size_t>(t)]);
    return a == one.end() || b == several.end() ? TaskScaling{divided[static_cast<std::size_t>(t)], 0}
                                                : task_scaling(a->second, b->second, threads);
  };
  std::vector<ScalingPhase> phases;
  for (const engine::Phase& phase : program.phases()) {
    ScalingPhase& scaled = phases.emplace_back(ScalingPhase{phase.wide, {}});
    for (const auto& list : phase.lists) {
      auto& tasks = scaled.lists.emplace_back();
      for (const std::int32_t t : list) tasks.push_back(scaling(t));
    }
  }
  return phases;
}
}  // namespace autodidact::train
