#include "engine/compile/schedule.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "engine/assert.hpp"
#include "engine/compile/draft.hpp"

namespace autodidact::engine::compile_passes {
namespace {

constexpr int kLists = 1 + Task::kBeside;  // the trunk's too

// What is one sweep over memory and not measured counts as a reorder, longer by as much as there are fewer threads.
Assignment as_drafted(const Draft& draft) {
  const Lanes::Layout layout = draft.lanes.layout();
  Assignment assignment;
  for (const DraftTask& task : draft.tasks) {
    const bool swept = task.task.node.empty() || task.task.pass == Pass::recompute;
    const double wide_ms = swept ? reorder_ms(draft.buffers[static_cast<std::size_t>(task.writes.front())].type.bytes()) : 0;
    assignment.branch.push_back(task.task.branch);
    assignment.ms.push_back(swept ? wide_ms * layout.wide / threads_of(draft, task.task.branch) : task.task.predicted_ms);
  }
  return assignment;
}

double list_ms(const Assignment& assignment, const std::vector<std::int32_t>& list) {
  double ms = 0;
  for (const std::int32_t t : list) ms += assignment.ms[static_cast<std::size_t>(t)];
  return ms;
}

// A task waits for whoever wrote what it reads, and for whoever used what it overwrites.
TaskOrder order_of(const Draft& draft) {
  TaskOrder order;
  order.waits.resize(draft.tasks.size());
  std::vector<std::vector<std::int32_t>> users(draft.buffers.size());
  std::vector<std::int32_t> writer(draft.buffers.size(), -1);
  for (std::int32_t t = 0; t < static_cast<std::int32_t>(draft.tasks.size()); ++t) {
    const DraftTask& task = draft.tasks[static_cast<std::size_t>(t)];
    auto& waits = order.waits[static_cast<std::size_t>(t)];
    order.step.push_back(task.task.step);
    for (const int b : task.reads)
      if (const auto w = writer[static_cast<std::size_t>(b)]; w >= 0) waits.push_back(w);
    for (const int b : task.writes)
      for (const auto user : users[static_cast<std::size_t>(b)]) waits.push_back(user);
    for (const int b : task.reads) users[static_cast<std::size_t>(b)].push_back(t);
    for (const int b : task.writes) {
      users[static_cast<std::size_t>(b)].push_back(t);
      writer[static_cast<std::size_t>(b)] = t;
    }
  }
  return order;
}

class Scheduler {
 public:
  Scheduler(const TaskOrder& order, const Assignment& assignment) : order_(order), assignment_(assignment), phase_of_(order.waits.size(), -1) {
    for (std::size_t t = 0; t < order.waits.size(); ++t)
      queues_[static_cast<std::size_t>(assignment.branch[t])].push_back(static_cast<std::int32_t>(t));
  }

  std::vector<Phase> run() {
    std::size_t done = 0;
    while (done < order_.waits.size()) {
      const std::size_t before = done;
      done += add_wide();
      done += add_split();
      AUTODIDACT_ASSERT(done > before);
    }
    return std::move(phases_);
  }

 private:
  // Takes from the front of a branch's queue what depends only on earlier phases or on its own list.
  std::vector<std::int32_t> take_ready(int branch) {
    const auto l = static_cast<std::size_t>(branch);
    std::vector<std::int32_t> list;
    for (; heads_[l] < queues_[l].size(); ++heads_[l]) {
      const std::int32_t t = queues_[l][heads_[l]];
      const auto& waits = order_.waits[static_cast<std::size_t>(t)];
      const bool ready = std::all_of(waits.begin(), waits.end(), [&](std::int32_t w) {
        const int phase = phase_of_[static_cast<std::size_t>(w)];
        const bool own = assignment_.branch[static_cast<std::size_t>(w)] == branch;
        return phase >= 0 && (own || phase < now());
      });
      if (!ready) break;
      phase_of_[static_cast<std::size_t>(t)] = now();
      list.push_back(t);
    }
    return list;
  }

  int now() const { return static_cast<int>(phases_.size()); }

  std::size_t add_wide() {
    auto list = take_ready(0);
    const std::size_t count = list.size();
    if (count) phases_.push_back({true, {std::move(list)}});
    return count;
  }

  // Longest list first: a lane that is free takes the next.
  std::size_t add_split() {
    Phase phase{false, {}};
    std::size_t count = 0;
    for (int branch = 1; branch < kLists; ++branch) {
      auto list = take_ready(branch);
      count += list.size();
      if (!list.empty()) phase.lists.push_back(std::move(list));
    }
    std::stable_sort(phase.lists.begin(), phase.lists.end(),
                     [&](const auto& a, const auto& b) { return list_ms(assignment_, a) > list_ms(assignment_, b); });
    if (count) phases_.push_back(std::move(phase));
    return count;
  }

  const TaskOrder& order_;
  const Assignment& assignment_;
  std::vector<Phase> phases_;
  std::vector<int> phase_of_;
  std::array<std::vector<std::int32_t>, kLists> queues_;
  std::array<std::size_t, kLists> heads_{};
};

// The steps that stand last in a wide phase, the very last first, as long as all of their tasks do.
std::vector<int> tail_of(const TaskOrder& order, const std::vector<std::int32_t>& list) {
  std::map<int, std::size_t> tasks_of, here;
  for (const int step : order.step) ++tasks_of[step];
  for (const std::int32_t t : list) ++here[order.step[static_cast<std::size_t>(t)]];
  std::vector<int> steps;
  for (auto t = list.rbegin(); t != list.rend(); ++t) {
    const int step = order.step[static_cast<std::size_t>(*t)];
    if (step < 0 || here[step] != tasks_of[step]) break;
    if (steps.empty() || steps.back() != step) steps.push_back(step);
  }
  return steps;
}
}  // namespace

std::vector<Phase> phases_of(const TaskOrder& order, const Assignment& assignment) { return Scheduler(order, assignment).run(); }

double phases_ms(const std::vector<Phase>& phases, const Assignment& assignment, const Lanes::Layout& layout) {
  double ms = 0;
  for (const Phase& phase : phases) {
    std::vector<double> lists;
    for (const auto& list : phase.lists) lists.push_back(list_ms(assignment, list));
    ms += phase.wide ? lists.front() : makespan(lists, layout.narrow_count);
  }
  return ms;
}

Assignment beside_branches(const TaskOrder& order, const Assignment& assignment, const std::vector<double>& narrow_ms, const Lanes::Layout& layout) {
  const std::vector<Phase> phases = phases_of(order, assignment);
  Assignment best = assignment;
  double best_ms = phases_ms(phases, assignment, layout);
  for (std::size_t p = 1; p < phases.size(); ++p) {
    if (phases[p].wide || !phases[p - 1].wide) continue;
    Assignment moved = best;
    for (const int step : tail_of(order, phases[p - 1].lists.front())) {
      for (std::size_t t = 0; t < order.step.size(); ++t) {
        if (order.step[t] != step) continue;
        moved.branch[t] = Task::kBeside;
        moved.ms[t] = narrow_ms[t];
      }
      const double ms = phases_ms(phases_of(order, moved), moved, layout);
      if (ms >= best_ms) continue;
      best = moved;
      best_ms = ms;
    }
  }
  return best;
}

void schedule(Draft& draft) {
  TaskOrder order = order_of(draft);
  draft.phases = phases_of(order, as_drafted(draft));
  for (std::size_t t = 0; t < draft.tasks.size(); ++t) draft.tasks[t].task.waits = std::move(order.waits[t]);
}

double planned_ms(const Draft& draft) { return phases_ms(draft.phases, as_drafted(draft), draft.lanes.layout()); }

StepLines beside_branches(const Draft& draft, double narrow) {
  const Assignment now = as_drafted(draft);
  std::vector<double> narrow_ms = now.ms;
  for (double& ms : narrow_ms) ms *= narrow;
  const Assignment best = beside_branches(order_of(draft), now, narrow_ms, draft.lanes.layout());
  StepLines lines;
  for (std::size_t t = 0; t < draft.tasks.size(); ++t) {
    if (best.branch[t] != Task::kBeside) continue;
    const Step& step = draft.steps[static_cast<std::size_t>(draft.tasks[t].task.step)];
    lines.insert(beside_line(draft.graph.node(step.node).name, step.pass));
  }
  return lines;
}
}  // namespace autodidact::engine::compile_passes
