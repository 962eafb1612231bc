// schedule: put the tasks into phases. Each branch's tasks keep their list order; the trunk goes on as long as it can, then the
// branches that are ready run side by side in one split phase, and so on in turn.
#include <algorithm>
#include <array>

#include "engine/assert.hpp"
#include "engine/compile/draft.hpp"

namespace autodidact::engine::compile_passes {
namespace {

constexpr int kLists = 1 + Task::kBeside;  // the trunk's too

// Of the tasks of a draft: in which branch each runs, and how long.
struct Assignment {
  std::vector<int> branch;
  std::vector<double> ms;
};

Assignment as_drafted(const Draft& draft) {
  Assignment assignment;
  for (const DraftTask& task : draft.tasks) {
    const bool reorders = task.task.candidate == "reorder";
    assignment.branch.push_back(task.task.branch);
    assignment.ms.push_back(reorders ? reorder_ms(draft.buffers[static_cast<std::size_t>(task.writes.front())].type.bytes()) : task.task.predicted_ms);
  }
  return assignment;
}

double sum_ms(const Assignment& assignment, const std::vector<std::int32_t>& list) {
  double ms = 0;
  for (const std::int32_t t : list) ms += assignment.ms[static_cast<std::size_t>(t)];
  return ms;
}

double sum_ms(const Assignment& assignment, const std::vector<Phase>& phases, const Lanes::Layout& layout) {
  double ms = 0;
  for (const Phase& phase : phases) {
    std::vector<double> lists;
    for (const auto& list : phase.lists) lists.push_back(sum_ms(assignment, list));
    ms += phase.wide ? lists.front() : makespan(lists, layout.narrow_count);
  }
  return ms;
}

// A task waits for whoever wrote what it reads, and for whoever used what it overwrites.
using Dependencies = std::vector<std::vector<std::int32_t>>;

Dependencies find_dependencies(const Draft& draft) {
  Dependencies dependencies(draft.tasks.size());
  std::vector<std::vector<std::int32_t>> users(draft.buffers.size());
  std::vector<std::int32_t> writer(draft.buffers.size(), -1);
  for (std::int32_t t = 0; t < static_cast<std::int32_t>(draft.tasks.size()); ++t) {
    const DraftTask& task = draft.tasks[static_cast<std::size_t>(t)];
    auto& waits = dependencies[static_cast<std::size_t>(t)];
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
  return dependencies;
}

class Scheduler {
 public:
  Scheduler(const Dependencies& dependencies, const Assignment& assignment)
      : dependencies_(dependencies), assignment_(assignment), phase_of_(dependencies.size(), -1) {
    for (std::size_t t = 0; t < dependencies.size(); ++t)
      queues_[static_cast<std::size_t>(assignment.branch[t])].push_back(static_cast<std::int32_t>(t));
  }

  std::vector<Phase> run() {
    std::size_t done = 0;
    while (done < dependencies_.size()) {
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
      const auto& waits = dependencies_[static_cast<std::size_t>(t)];
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
                     [&](const auto& a, const auto& b) { return sum_ms(assignment_, a) > sum_ms(assignment_, b); });
    if (count) phases_.push_back(std::move(phase));
    return count;
  }

  const Dependencies& dependencies_;
  const Assignment& assignment_;
  std::vector<Phase> phases_;
  std::vector<int> phase_of_;
  std::array<std::vector<std::int32_t>, kLists> queues_;
  std::array<std::size_t, kLists> heads_{};
};

// The steps that stand last in a wide phase, the very last first, as long as all of their tasks do.
std::vector<int> tail_of(const Draft& draft, const std::vector<std::int32_t>& list) {
  std::map<int, std::size_t> tasks_of, here;
  for (const DraftTask& task : draft.tasks) ++tasks_of[task.step];
  for (const std::int32_t t : list) ++here[draft.tasks[static_cast<std::size_t>(t)].step];
  std::vector<int> steps;
  for (auto t = list.rbegin(); t != list.rend(); ++t) {
    const int step = draft.tasks[static_cast<std::size_t>(*t)].step;
    if (step < 0 || here[step] != tasks_of[step]) break;
    if (steps.empty() || steps.back() != step) steps.push_back(step);
  }
  return steps;
}
}  // namespace

void schedule(Draft& draft) { draft.phases = Scheduler(find_dependencies(draft), as_drafted(draft)).run(); }

double planned_ms(const Draft& draft) { return sum_ms(as_drafted(draft), draft.phases, draft.lanes.layout()); }

StepLines beside_branches(const Draft& draft, double narrow) {
  const Dependencies dependencies = find_dependencies(draft);
  const auto planned = [&](const Assignment& assignment) {
    return sum_ms(assignment, Scheduler(dependencies, assignment).run(), draft.lanes.layout());
  };
  Assignment best = as_drafted(draft);
  double best_ms = planned(best);
  for (std::size_t p = 1; p < draft.phases.size(); ++p) {
    if (draft.phases[p].wide || !draft.phases[p - 1].wide) continue;
    Assignment moved = best;
    for (const int step : tail_of(draft, draft.phases[p - 1].lists.front())) {
      for (std::size_t t = 0; t < draft.tasks.size(); ++t) {
        if (draft.tasks[t].step != step) continue;
        moved.branch[t] = Task::kBeside;
        moved.ms[t] *= narrow;
      }
      const double ms = planned(moved);
      if (ms >= best_ms) continue;
      best = moved;
      best_ms = ms;
    }
  }
  StepLines lines;
  for (std::size_t t = 0; t < draft.tasks.size(); ++t) {
    if (best.branch[t] != Task::kBeside) continue;
    const Step& step = draft.steps[static_cast<std::size_t>(draft.tasks[t].step)];
    lines.insert(beside_line(draft.graph.node(step.node).name, step.pass));
  }
  return lines;
}
}  // namespace autodidact::engine::compile_passes
