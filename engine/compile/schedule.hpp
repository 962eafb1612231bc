// engine/compile/schedule.hpp: the order of a step's tasks: which phases they make, given in which lane each runs and how long it takes. Of a draft, with
// measured times, and of a program on threads that are not there (train/scaling.hpp).
#pragma once
#include <cstdint>
#include <vector>

#include "engine/program.hpp"
#include "engine/threads.hpp"

namespace autodidact::engine::compile_passes {

// Of tasks in list order: the earlier ones that each waits for, and its step (Task::waits, Task::step).
struct TaskOrder {
  std::vector<std::vector<std::int32_t>> waits;
  std::vector<int> step;
};

// Where each task runs (Task::branch), and for how long.
struct Assignment {
  std::vector<int> branch;
  std::vector<double> ms;
};

// The trunk goes on as long as it can, then the branches that are ready run side by side in one split phase, longest list first, and so on in turn. Each branch's
// tasks keep their list order.
std::vector<Phase> phases_of(const TaskOrder& order, const Assignment& assignment);

// What the phases take in these lanes.
double phases_ms(const std::vector<Phase>& phases, const Assignment& assignment, const Lanes::Layout& layout);

// As `assignment`, but the last steps of what the trunk does on its own before branches begin run beside them (Task::kBeside), as many as shorten
// the step most. `narrow_ms`: what each task takes in a narrow lane.
Assignment beside_branches(const TaskOrder& order, const Assignment& assignment, const std::vector<double>& narrow_ms, const Lanes::Layout& layout);
}  // namespace autodidact::engine::compile_passes
