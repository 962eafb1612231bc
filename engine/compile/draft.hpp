// engine/compile/draft.hpp: what the compile passes hand on to each other. Internal to engine/compile.
#pragma once
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/compile/cut.hpp"

namespace autodidact::engine::compile_passes {

// What the formats of the planes of a step are. Where C is one block both are the same.
enum class FormatKind : std::uint8_t { blocks, channels_last };

// What was found of the candidates of a step.
struct StepFormats {
  std::array<double, 2> ms{};       // by FormatKind, of the fastest; where none was offered, as the other
  FormatKind chosen = FormatKind::blocks;
  std::vector<Operand> operands{};  // of which the candidates say a format
  bool bound = false;               // to the kind that its node's forward pass has, by what that keeps
};

// One pass of one node, before its algorithm is chosen. `writes`: the gradients that are wanted of it. `branch`: as of a Task.
struct Step {
  NodeId node;
  Pass pass = Pass::forward;
  std::vector<Operand> writes;
  int branch = 0;
};

struct Buffer {
  std::string name;
  TensorType type;
  std::size_t bytes = 0;
  Place place;          // arena and own offsets are given by `place`
};

struct DraftTask {
  Task task;  // without places
  std::vector<int> reads, writes;  // buffers
  int scratch = -1;
  std::vector<std::pair<int, int>> in_place;  // (written buffer, read buffer) that may share an address
};

// Steps of the trunk, each as beside_line has it.
using StepLines = std::set<std::string>;

struct Draft {
  const CompileOptions& options;
  Lanes& lanes;
  std::vector<Arena>& trial_memory;  // a piece for each lane
  Graph graph;
  StepLines beside = {};  // of the trunk, that run beside the branches
  std::vector<FormatKind> wanted = {};  // of every step; empty: what takes least time, step by step

  // differentiate
  std::vector<bool> needs_gradient = {};  // per value
  std::vector<Step> steps = {};

  // choose
  std::vector<Buffer> buffers = {};
  std::vector<DraftTask> tasks = {};
  std::vector<std::string> slots = {};  // parameters and states touched
  std::map<std::string, int> inputs = {}, outputs = {};  // name → buffer
  std::set<std::string> gradients = {};
  std::vector<std::string> dropped = {};
  std::vector<StepFormats> formats = {};  // of every step, where candidates are measured
  std::shared_ptr<Program::Replay> replay = {};

  // schedule, place
  std::vector<Phase> phases = {};
  PlannedTimes planned = {};
  MemoryForecast memory = {};
};

Graph fuse(const Graph& graph, const CompileOptions& options);
void differentiate(Draft& draft);
void choose(Draft& draft);
// By what choosing step by step has found: the kinds of formats with which all steps and the reorders between them take least time.
std::vector<FormatKind> best_formats(const Draft& draft);
void schedule(Draft& draft);
// The steps of the trunk that a scheduled draft should run beside its branches, by measured times (engine/compile/schedule.hpp). `narrow`: how much longer a
// task takes in a narrow lane than in the wide one.
StepLines beside_branches(const Draft& draft, double narrow);
void place(Draft& draft);

// Reorders are not measured: each is taken to cost one read and one write at 16 GB/s. So are sums of gradients and what is made again.
inline double reorder_ms(std::size_t bytes) { return 2 * static_cast<double>(bytes) / 16e6; }
// What the tasks of a scheduled draft take by their measured times, without those that are not measured.
double planned_ms(const Draft& draft);

// Whether there may be lanes for branches. With several ranks all is wide: what they sum must come one at a time, in the same order everywhere.
inline bool divisible(const CompileOptions& options) { return options.backend == Backend::fast && options.communicator->size() == 1; }
// Of which exit a node is a branch's that runs in a narrow lane; 0: it runs in the wide one.
inline int branch_of(const Draft& draft, const Node& node) {
  return draft.options.branches == Branches::side_by_side && divisible(draft.options) ? node.exit : 0;
}
// As of a Task.
inline int branch_of(const Draft& draft, const Node& node, Pass pass) {
  const int branch = branch_of(draft, node);
  return branch == 0 && draft.beside.contains(beside_line(node.name, pass)) ? Task::kBeside : branch;
}
// Runs `work` in the lane of that branch and waits: primitives must be made where they will run.
inline void run_in_lane_of(const Draft& draft, int branch, const std::function<void(Lane&)>& work) {
  if (branch == 0) draft.lanes.run_wide(work);
  else draft.lanes.run_narrow(1, [&](Lane& narrow, int) { work(narrow); });
}
inline int threads_of(const Draft& draft, int branch) {
  return branch == 0 ? draft.lanes.layout().wide : draft.lanes.layout().narrow_size;
}
}  // namespace autodidact::engine::compile_passes
