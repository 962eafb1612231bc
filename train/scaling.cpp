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
}  // namespace

TaskScaling task_scaling(double one_ms, double several_ms, int threads) {
  const double serial = std::clamp((threads * several_ms - one_ms) / (threads - 1), 0.0, std::max(one_ms, several_ms));
  return {serial, std::max(0.0, one_ms - serial)};
}

double simulated_seconds(const StepScaling& step, const engine::Lanes::Layout& layout, engine::Branches branches) {
  using namespace engine::compile_passes;
  Assignment in_lanes{step.branch, {}};
  std::vector<double> narrow_ms;
  double in_turn = 0;
  for (std::size_t t = 0; t < step.tasks.size(); ++t) {
    narrow_ms.push_back(step.tasks[t].ms(layout.narrow_size));
    const double wide_ms = step.tasks[t].ms(layout.wide);
    in_lanes.ms.push_back(step.branch[t] == 0 ? wide_ms : narrow_ms.back());
    in_turn += wide_ms;
  }
  const auto seconds = [&](const Assignment& assignment) { return phases_ms(phases_of(step.order, assignment), assignment, layout) / 1000; };
  if (branches == engine::Branches::in_turn) return in_turn / 1000;
  if (branches == engine::Branches::side_by_side) return seconds(in_lanes);
  return std::min(in_turn / 1000, seconds(beside_branches(step.order, in_lanes, narrow_ms, layout)));
}

StepScaling measure_scaling(TrainerOptions options, const data::Batch& batch, engine::Lanes& lanes, int runs) {
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
  StepScaling step;
  for (std::int32_t t = 0; t < static_cast<std::int32_t>(keys.size()); ++t) {
    const engine::Task& task = program.tasks()[static_cast<std::size_t>(t)];
    step.order.waits.push_back(task.waits);
    step.order.step.push_back(task.step);
    step.branch.push_back(task.branch);
    step.tasks.push_back(scaling(t));
  }
  return step;
}
}  // namespace autodidact::train
