// engine/executor.hpp: runs a program, one step at a time.
#pragma once
#include <optional>
#include <string>

#include "engine/program.hpp"

namespace autodidact::engine {

struct StepFlags {
  bool forward_only = false;  // stops before the first backward task; commits nothing
  bool replay = false;        // reference backend: decisions and detached values of the snapshot (see snapshot())
  bool time_tasks = false;    // keeps the smallest time of every task in task_ms()
};

// The first non-finite number that a step produced.
struct NonFinite {
  std::string task, tensor;
  Pass pass = Pass::forward;
};

class Executor {
 public:
  explicit Executor(Lanes& lanes) : lanes_(lanes) {}

  // Runs all phases. Stages the store's running statistics first; the caller then commits or discards the store.
  // `store` needs gradients if the program writes any.
  void run(Program& program, ParameterStore& store, StepFlags flags = {});

  // The same step, task by task in list order, looking at every number written; stops at the first that is not finite.
  std::optional<NonFinite> run_checked(Program& program, ParameterStore& store);

  // Keeps a copy of every value of the last run, for replay. Of the reference backend; of others it keeps nothing.
  void snapshot(Program& program);

  Arena& arena() { return arena_; }
  Lanes& lanes() { return lanes_; }
  std::span<const double> task_ms() const { return task_ms_; }

 private:
  void run_task(Program& program, Lane& lane, std::int32_t index, StepFlags flags);
  void run_phase(Program& program, const Phase& phase, StepFlags flags);

  Lanes& lanes_;
  Arena arena_;
  bool packs_stale_ = false;
  std::vector<double> task_ms_;
};
}  // namespace autodidact::engine
