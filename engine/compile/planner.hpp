// engine/compile/planner.hpp: which draft of a graph becomes the program. Internal to engine/compile.
#pragma once
#include <vector>

#include "engine/compile/draft.hpp"

namespace autodidact::engine::compile_passes {

// Makes drafts of a graph that is cut and fused, and takes the one that needs least time by what was measured. In order: the formats, step by step or over the
// whole graph at once; a part of the trunk beside the branches, or none; the branches in lanes, or in turn. What is known already is not tried.
class Planner {
 public:
  // All must live as long as the draft.
  Planner(const Graph& graph, const CompileOptions& options, Lanes& lanes);

  // Scheduled, with Draft::planned. It refers to members of this.
  Draft plan();

 private:
  Branches decided() const;
  bool free() const;
  StepLines known_beside() const;
  Draft make(const CompileOptions& options, StepLines beside);
  Draft with_best_formats(const CompileOptions& options);
  Draft with_trunk_beside(Draft draft);
  Draft faster(Draft in_lanes);

  const Graph& graph_;
  const CompileOptions& options_;
  CompileOptions in_turn_, side_by_side_;
  Lanes& lanes_;
  std::vector<Arena> trial_memory_;
  std::vector<FormatKind> formats_;  // of all drafts to come
};
}  // namespace autodidact::engine::compile_passes
