// schedule: put the tasks into phases. Each branch's tasks keep their list order; the trunk goes on as long as it can, then the
// branches that are ready run side by side in one split phase, and so on in turn.
#include <algorithm>
#include <array>

#include "engine/assert.hpp"
#include "engine/compile/draft.hpp"

namespace autodidact::engine::compile_passes {
namespace {

constexpr int kLists = 1 + Graph::kMostExits;  // the trunk's too

class Scheduler {
 public:
  explicit Scheduler(Draft& draft) : draft_(draft), phase_of_(draft.tasks.size(), -1) {
    find_dependencies();
    for (std::size_t t = 0; t < draft.tasks.size(); ++t)
      queues_[static_cast<std::size_t>(draft.tasks[t].task.branch)].push_back(static_cast<std::int32_t>(t));
  }

  void run() {
    std::size_t done = 0;
    while (done < draft_.tasks.size()) {
      const std::size_t before = done;
      done += add_wide();
      done += add_split();
      AUTODIDACT_ASSERT(done > before);
    }
  }

 private:
  // A task waits for whoever wrote what it reads, and for whoever used what it overwrites.
  void find_dependencies() {
    dependencies_.resize(draft_.tasks.size());
    std::vector<std::vector<std::int32_t>> users(draft_.buffers.size());
    std::vector<std::int32_t> writer(draft_.buffers.size(), -1);
    for (std::int32_t t = 0; t < static_cast<std::int32_t>(draft_.tasks.size()); ++t) {
      const DraftTask& task = draft_.tasks[static_cast<std::size_t>(t)];
      auto& waits = dependencies_[static_cast<std::size_t>(t)];
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
  }

  // Takes from the front of a branch's queue what depends only on earlier phases or on its own list.
  std::vector<std::int32_t> take_ready(int branch) {
    const auto l = static_cast<std::size_t>(branch);
    std::vector<std::int32_t> list;
    for (; heads_[l] < queues_[l].size(); ++heads_[l]) {
      const std::int32_t t = queues_[l][heads_[l]];
      const auto& waits = dependencies_[static_cast<std::size_t>(t)];
      const bool ready = std::all_of(waits.begin(), waits.end(), [&](std::int32_t w) {
        const int phase = phase_of_[static_cast<std::size_t>(w)];
        const bool own = draft_.tasks[static_cast<std::size_t>(w)].task.branch == branch;
        return phase >= 0 && (own || phase < now());
      });
      if (!ready) break;
      phase_of_[static_cast<std::size_t>(t)] = now();
      list.push_back(t);
    }
    return list;
  }

  int now() const { return static_cast<int>(draft_.phases.size()); }

  std::size_t add_wide() {
    auto list = take_ready(0);
    const std::size_t count = list.size();
    if (count) draft_.phases.push_back({true, {std::move(list)}});
    return count;
  }

  std::size_t add_split() {
    Phase phase{false, {}};
    std::size_t count = 0;
    for (int branch = 1; branch < kLists; ++branch) {
      auto list = take_ready(branch);
      count += list.size();
      if (!list.empty()) phase.lists.push_back(std::move(list));
    }
    if (count) draft_.phases.push_back(std::move(phase));
    return count;
  }

  Draft& draft_;
  std::vector<int> phase_of_;
  std::vector<std::vector<std::int32_t>> dependencies_;
  std::array<std::vector<std::int32_t>, kLists> queues_;
  std::array<std::size_t, kLists> heads_{};
};
}  // namespace

void schedule(Draft& draft) { Scheduler(draft).run(); }

double planned_ms(const Draft& draft) {
  const auto list_ms = [&](const std::vector<std::int32_t>& list) {
    double ms = 0;
    for (const std::int32_t t : list) {
      const DraftTask& task = draft.tasks[static_cast<std::size_t>(t)];
      const bool reorders = task.task.candidate == "reorder";
      ms += reorders ? reorder_ms(draft.buffers[static_cast<std::size_t>(task.writes.front())].type.bytes()) : task.task.predicted_ms;
    }
    return ms;
  };
  double ms = 0;
  for (const Phase& phase : draft.phases) {
    std::vector<double> lists;
    for (const auto& list : phase.lists) lists.push_back(list_ms(list));
    ms += phase.wide ? lists.front() : makespan(lists, draft.lanes.layout().narrow_count);
  }
  return ms;
}
}  // namespace autodidact::engine::compile_passes
