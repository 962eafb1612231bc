// train/scaling.hpp: how long a step would take on more cores than there are here, simulated from the times of its tasks.
//
// Each task is timed on one thread and on n. By Amdahl's law (AFIPS 1967) it has a serial part s and a divisible part w,
//     t(1) = s + w      t(n) = s + w/n      so      s = (n·t(n) − t(1)) / (n − 1)      w = t(1) − s      t(p) = s + w/p
// They are then put into phases as compile does it (engine/compile/schedule.hpp): the branches side by side in the lanes that p threads
// are divided into, with a part of the trunk beside them, or in turn on all threads; of these the least counts, by however little. What is left out: the optimizer and the loader, and that many cores have more
// cache and more memory channels than the ones measured, or share them with others.
#pragma once
#include <vector>

#include "data/loader.hpp"
#include "engine/compile/schedule.hpp"
#include "engine/threads.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

struct TaskScaling {
  double serial_ms = 0, divisible_ms = 0;
  double ms(int threads) const { return serial_ms + divisible_ms / threads; }
};

// From the times on one thread and on `threads` > 1; neither part is negative.
TaskScaling task_scaling(double one_ms, double several_ms, int threads);

// Of the tasks of a program whose branches run side by side, in list order.
struct StepScaling {
  engine::compile_passes::TaskOrder order;
  std::vector<int> branch;  // Task::branch
  std::vector<TaskScaling> tasks;
};

// Seconds of a step on so many threads, with the branches side by side, or in turn; automatic: the least of both and of side by side with a part of the trunk.
double simulated_seconds(const StepScaling& step, const engine::Lanes::Layout& layout, engine::Branches branches);

// Times the tasks of a training step `runs` times on one thread and on all threads of `lanes`, with the same algorithms, and keeps
// the smallest times. Throws std::invalid_argument if there is only one.
StepScaling measure_scaling(TrainerOptions options, const data::Batch& batch, engine::Lanes& lanes, int runs);
}  // namespace autodidact::train
