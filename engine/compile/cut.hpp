// engine/compile/cut.hpp: the first pass of compile, alone: for what walks the graph that would be compiled and computes nothing.
#pragma once
#include "engine/compile/compile.hpp"

namespace autodidact::engine::compile_passes {

// The part of the graph that the outputs (and, with gradients, the loss) of the options depend on; of the options only outputs, feeds,
// differentiate, cotangents and gradients are looked at. Throws std::invalid_argument for names that are not there.
Graph cut(const Graph& graph, const CompileOptions& options);
}  // namespace autodidact::engine::compile_passes
