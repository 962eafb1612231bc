// train/plan_table.hpp: a compiled program as a table, one line a task: for the student, the profiler and us.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "engine/program.hpp"

namespace autodidact::train {

// Two times a task: predicted is what choosing measured of the chosen candidate alone (--choose measure, where there was a choice);
// measured is `measured_ms`, of each task inside a step, by Executor::task_ms(). A dash, or null, where there is none.
std::string plan_table(const engine::Program& program, std::span<const double> measured_ms);
nlohmann::ordered_json plan_json(const engine::Program& program, std::span<const double> measured_ms);
}  // namespace autodidact::train
