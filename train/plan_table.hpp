// train/plan_table.hpp: a compiled program as a table, one line a task: for the student, the profiler and us.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "engine/program.hpp"

namespace autodidact::train {

// `measured_ms`: of each task, by Executor::task_ms(); empty: what choosing measured, or nothing.
std::string plan_table(const engine::Program& program, std::span<const double> measured_ms);
nlohmann::ordered_json plan_json(const engine::Program& program, std::span<const double> measured_ms);
}  // namespace autodidact::train
