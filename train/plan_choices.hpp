// train/plan_choices.hpp: which algorithm each task of a program runs, as text, so that a run that goes on can see whether it
// computes as it did before: the same bits need the same algorithms.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "engine/compile/timings.hpp"
#include "engine/program.hpp"

namespace autodidact::train {

// A line a task of a node: "NODE<tab>PASS<tab>CANDIDATE<tab>IMPLEMENTATION<tab>FORMATS of its operands". The first says how the branches run, the next what of the
// trunk runs beside them.
std::string plan_choices(const engine::Program& program);

// For engine::CompileOptions::prefer.
std::vector<std::string> lines_of(const std::string& choices);

// Empty if both are the same; else what differs, in words: "3 of 214 tasks run another algorithm, first conv1 (forward): A was B".
std::string choices_difference(const std::string& before, const std::string& now);

// What was measured, "MILLISECONDS<tab>KEY" a line, every digit; and back: adopted are taken before any measurement of this process'
// own. A line that cannot be understood is left out, and its candidate measured again.
std::string timings_text(const engine::Timings& timings);
void adopt_timings(std::string_view text, engine::Timings& timings);
}  // namespace autodidact::train
