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
  options.programs.branches = engine::Branches::in_turn;
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

double split_ms(const ScalingPhase& phase, const engine::Lanes::Layout& layout) {
  std::vector<double> lists;
  for (const auto& list : phase.lists) lists.push_back(list_ms(list, layout.narrow_size));
  return engine::makespan(lists, layout.narrow_count);
}

double wide_ms(const ScalingPhase& phase, int threads) {
  double ms = 0;
  for (const auto& list : phase.lists) ms += list_ms(list, threads);
  return ms;
}
}  // namespace

TaskScaling task_scaling(double one_ms, double several_ms, int threads) {
  const double serial = std::clamp((threads * several_ms - one_ms) / (threads - 1), 0.0, std::max(one_ms, several_ms));
  return {serial, std::max(0.0, one_ms - serial)};
}

double simulated_seconds(const std::vector<ScalingPhase>& phases, const engine::Lanes::Layout& layout, engine::Branches branches) {
  double side_by_side = 0, in_turn = 0;
  for (const ScalingPhase& phase : phases) {
    in_turn += wide_ms(phase, layout.wide);
    side_by_side += phase.wide ? wide_ms(phase, layout.wide) : split_ms(phase, layout);
  }
  if (branches == engine::Branches::automatic) return std::min(side_by_side, in_turn) / 1000;
  return (branches == engine::Branches::in_turn ? in_turn : side_by_side) / 1000;
}

std::vector<ScalingPhase> measure_scaling(TrainerOptions options, const data::Batch& batch, engine::Lanes& lanes, int runs) {
  const int threads = lanes.layout().wide;
  options.programs.branches = engine::Branches::side_by_side;
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
