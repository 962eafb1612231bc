// train/survivors.hpp: which values of the network still lie in memory when a step has ended.
//
// A program shares memory between values whose lives do not overlap, so after a step most of the arena holds what came last,
// gradients above all. A value has survived if no task that may have run after its producer wrote to its bytes.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "engine/program.hpp"

namespace autodidact::train {

struct Survivor {
  std::string name;  // "value/NODE"
  engine::Shape shape;
  std::vector<double> numbers;  // plain layout
};

// Values of `graph` that the last step of `program` has left in `arena`. (Outputs lie elsewhere and always survive.)
std::vector<Survivor> survivors(const engine::Program& program, const engine::Graph& graph,
                                const engine::Arena& arena);
}  // namespace autodidact::train
