#include "engine/compile/planner.hpp"

#include <algorithm>
#include <optional>

namespace autodidact::engine::compile_passes {
namespace {

// The better of two drafts of one graph, with the sentences about dropped candidates of both.
Draft take(Draft better, const Draft& other) {
  for (const std::string& sentence : other.dropped) {
    const std::string_view who = std::string_view(sentence).substr(0, sentence.find(") ") + 1);
    if (std::none_of(better.dropped.begin(), better.dropped.end(), [&](const std::string& known) { return known.starts_with(who); }))
      better.dropped.push_back(sentence);
  }
  return better;
}

// Of the steps that a draft runs beside its branches, how much longer they take than in another in which they run in the wide lane.
double slowdown(const Draft& beside, const Draft& wide) {
  const auto sum = [&](const Draft& draft) {
    double ms = 0;
    for (const DraftTask& task : draft.tasks)
      if (beside.beside.contains(beside_line(task.task.node, task.task.pass))) ms += task.task.predicted_ms;
    return ms;
  };
  return sum(beside) / std::max(sum(wide), 1e-9);
}

std::vector<FormatKind> formats_of(const Draft& draft) {
  std::vector<FormatKind> kinds;
  for (const StepFormats& formats : draft.formats) kinds.push_back(formats.chosen);
  return kinds;
}
}  // namespace

Planner::Planner(const Graph& graph, const CompileOptions& options, Lanes& lanes)
    : graph_(graph), options_(options), in_turn_(options), side_by_side_(options), lanes_(lanes) {
  in_turn_.branches = Branches::in_turn;
  side_by_side_.branches = Branches::side_by_side;
}

Draft Planner::plan() {
  const Branches known = decided();
  const CompileOptions& first = known == Branches::in_turn ? in_turn_ : side_by_side_;
  Draft draft = free() ? with_best_formats(first) : make(first, known_beside());
  if (known == Branches::automatic) {
    Draft with_lanes = with_trunk_beside(std::move(draft));
    Draft fastest = faster(std::move(with_lanes));
    trial_memory_.clear();
    return fastest;
  }
  trial_memory_.clear();
  return draft;
}

// How the branches run, as far as that is known before anything is measured; else automatic.
Branches Planner::decided() const {
  // Side by side the branches' activations would be alive together.
  if (options_.recompute == Recompute::stage) return Branches::in_turn;
  if (options_.branches != Branches::automatic) return options_.branches;
  const auto nodes = graph_.nodes();
  const bool branched = std::any_of(nodes.begin(), nodes.end(), [](const Node& node) { return node.exit > 0; });
  if (!branched || lanes_.layout().wide == 1 || !divisible(options_)) return Branches::in_turn;
  if (options_.inherit) return options_.inherit->divided() ? Branches::side_by_side : Branches::in_turn;
  for (const Branches way : {Branches::side_by_side, Branches::in_turn})
    if (std::find(options_.prefer.begin(), options_.prefer.end(), line_of(way)) != options_.prefer.end()) return way;
  return options_.choose == Choose::measure ? Branches::automatic : Branches::side_by_side;
}

// Whether nothing but what is measured decides.
bool Planner::free() const { return options_.backend == Backend::fast && options_.choose == Choose::measure && !options_.inherit && options_.prefer.empty(); }

// The steps of the trunk that are known to run beside the branches before anything is measured.
StepLines Planner::known_beside() const {
  StepLines steps;
  if (options_.branches != Branches::automatic) return steps;
  if (options_.inherit) return beside_lines(*options_.inherit);
  for (const std::string& line : options_.prefer)
    if (line.starts_with(kBesideLine)) steps.insert(line);
  return steps;
}

Draft Planner::make(const CompileOptions& options, StepLines beside) {
  Draft draft{.options = options, .lanes = lanes_, .trial_memory = trial_memory_, .graph = graph_, .beside = std::move(beside), .wanted = formats_};
  if (options.backend == Backend::reference) draft.replay = std::make_shared<Program::Replay>();
  differentiate(draft);
  choose(draft);
  schedule(draft);
  return draft;
}

// Step by step first; that measures what the choice over the whole graph goes by. All further drafts have its formats, if they are better.
Draft Planner::with_best_formats(const CompileOptions& options) {
  Draft step_by_step = make(options, {});
  formats_ = best_formats(step_by_step);
  if (formats_of(step_by_step) == formats_) {
    formats_.clear();
    return step_by_step;
  }
  Draft together = make(options, {});
  if (planned_ms(together) < planned_ms(step_by_step)) return take(std::move(together), step_by_step);
  formats_.clear();
  return take(std::move(step_by_step), together);
}

// A draft with the branches side by side, or one in which a part of the trunk runs beside them, if that takes less time. How much longer it takes in a narrow
// lane is known only when it has been measured there: the first guess is that all threads share the work of the wide one.
Draft Planner::with_trunk_beside(Draft draft) {
  // Less than that measuring is off by.
  constexpr double kWorthIt = 0.99;
  constexpr int kGuesses = 2;
  const Lanes::Layout layout = lanes_.layout();
  PlannedTimes& planned = draft.planned;
  planned.side_by_side_ms = planned_ms(draft);
  double narrow = static_cast<double>(layout.wide) / layout.narrow_size;
  std::optional<Draft> best;
  for (int guess = 0; guess < kGuesses; ++guess) {
    StepLines steps = beside_branches(draft, narrow);
    if (steps.empty() || (best && steps == best->beside)) break;
    Draft beside = make(side_by_side_, std::move(steps));
    narrow = slowdown(beside, draft);
    const double ms = planned_ms(beside);
    if (best && ms >= planned.beside_trunk_ms) continue;
    planned.beside_trunk_ms = ms;
    best.emplace(std::move(beside));
  }
  if (!best) return draft;
  best->planned = planned;
  return planned.beside_trunk_ms < kWorthIt * planned.side_by_side_ms ? take(std::move(*best), draft) : take(std::move(draft), *best);
}

// A draft with the branches in lanes, or one with them in turn.
Draft Planner::faster(Draft in_lanes) {
  // In turn, every small task waits for its slower thread: beside a process that keeps one of two cores busy the step takes 2.4 times as long, side by
  // side 2.0 times. So it must be faster by more than what measuring is off by.
  constexpr double kClearly = 0.95;
  Draft in_turn = make(in_turn_, {});
  in_lanes.planned.in_turn_ms = planned_ms(in_turn);
  in_turn.planned = in_lanes.planned;
  const bool clearly = in_turn.planned.in_turn_ms < kClearly * planned_ms(in_lanes);
  return clearly ? take(std::move(in_turn), in_lanes) : take(std::move(in_lanes), in_turn);
}
}  // namespace autodidact::engine::compile_passes
