// Which threads compute in a training step of a four-exit network: the branches of different exits at the same time, and never
// more threads than there are cores.
//
// Every op of the compiled program is wrapped (by the catch-all of the fusion rules below), so that each of its tasks says when it
// begins and ends; and every OpenMP team is watched, in our loops and in oneDNN. Two branches could miss each other by chance on a
// busy machine, so the first branch task waits until another exit's has begun on another thread: without lanes none ever does.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "model/distillation_loss.hpp"
#include "model/initialise.hpp"
#include "ops/fusions.hpp"
#include "tests/openmp_teams.hpp"
#include "train/programs.hpp"

namespace {
using namespace autodidact;
using engine::Arguments, engine::Candidate, engine::EmittedTask, engine::Emitter, engine::Graph,
    engine::Kernel, engine::Lane, engine::Lanes, engine::Mode, engine::NodeId, engine::Op,
    engine::Operand, engine::Pass, engine::Query, engine::Rewrite, engine::Shape;

constexpr auto kPatience = std::chrono::seconds(30);  // only spent where the test fails

// What threads did during a step.
class Census final : public testing::TeamWatcher {
 public:
  enum Direction { kForward, kBackward };

  void begin_task(int exit, Pass pass, const Lane& lane) {
    std::unique_lock lock(mutex_);
    Work& work = begin();
    work.exit = exit;
    work.lane = lane.size();
    work.direction = pass == Pass::forward ? kForward : kBackward;
    if (exit > 0 && pass != Pass::commit) meet(lock, work.direction);
  }
  void end_task() { leave(); }

  void enter(int team, int member) override {
    const std::lock_guard lock(mutex_);
    const Work& work = begin();
    if (member != 0) return;
    // Member 0 is the thread that opened the team, inside the task that wanted it.
    largest_team_ = std::max(largest_team_, team);
    if (work.exit > 0 && team > work.lane) ++wide_teams_in_branches_;
    if (team > 1 && std::this_thread::get_id() == main_) ++teams_of_main_;
  }
  void leave() override {
    const std::lock_guard lock(mutex_);
    if (--working_.at(std::this_thread::get_id()).depth == 0)
      working_.erase(std::this_thread::get_id());
  }

  int most() const { return most_; }
  int largest_team() const { return largest_team_; }
  int wide_teams_in_branches() const { return wide_teams_in_branches_; }
  int teams_of_main() const { return teams_of_main_; }
  bool met(Direction direction) const { return met_[direction]; }

 private:
  struct Work {
    int depth = 0;  // a team's opener is in a task and in the team
    int exit = 0, lane = 1;
    Direction direction = kForward;
  };

  Work& begin() {
    Work& work = working_[std::this_thread::get_id()];
    ++work.depth;
    most_ = std::max(most_, static_cast<int>(working_.size()));
    return work;
  }

  void meet(std::unique_lock<std::mutex>& lock, Direction direction) {
    const Work& mine = working_.at(std::this_thread::get_id());
    const bool other = std::any_of(working_.begin(), working_.end(), [&](const auto& entry) {
      return entry.second.exit > 0 && entry.second.exit != mine.exit &&
             entry.second.direction == direction;
    });
    if (other) {
      met_[direction] = true;
      arrived_.notify_all();
    } else if (!waited_[direction] && engine::allowed_cores() > 1) {
      waited_[direction] = true;
      arrived_.wait_for(lock, kPatience, [&] { return met_[direction]; });
    }
  }

  const std::thread::id main_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::thread::id, Work> working_;
  std::array<bool, 2> met_{}, waited_{};
  int most_ = 0, largest_team_ = 0, wide_teams_in_branches_ = 0, teams_of_main_ = 0;
};

Kernel watched(Kernel kernel, Census& census, int exit, Pass pass) {
  return [kernel = std::move(kernel), &census, exit, pass](Lane& lane, const Arguments& arguments) {
    census.begin_task(exit, pass, lane);
    kernel(lane, arguments);
    census.end_task();
  };
}

// Hands on what a candidate emits, with watched kernels.
class WatchedEmitter final : public Emitter {
 public:
  WatchedEmitter(Emitter& to, Census& census, int exit, Pass pass)
      : to_(to), census_(census), exit_(exit), pass_(pass) {}
  void task(EmittedTask task) override {
    task.kernel = watched(std::move(task.kernel), census_, exit_, pass_);
    to_.task(std::move(task));
  }
  Operand temporary(std::size_t bytes) override { return to_.temporary(bytes); }
  Operand pack(engine::EmittedPack pack) override {
    pack.kernel = watched(std::move(pack.kernel), census_, exit_, pass_);
    return to_.pack(std::move(pack));
  }
  void collective(Operand temporary, std::int64_t count) override {
    to_.collective(temporary, count);
  }

 private:
  Emitter& to_;
  Census& census_;
  int exit_;
  Pass pass_;
};

// An op that is another op, watched.
class WatchedOp final : public Op {
 public:
  WatchedOp(std::shared_ptr<const Op> op, Census& census) : op_(std::move(op)), census_(census) {}
  std::string_view kind() const override { return op_->kind(); }
  std::string describe() const override { return op_->describe(); }
  std::vector<engine::Port> inputs() const override { return op_->inputs(); }
  std::vector<Shape> infer(std::string_view node, std::span<const Shape> shapes) const override {
    return op_->infer(node, shapes);
  }
  engine::Role output_role(int output) const override { return op_->output_role(output); }
  std::vector<engine::BackwardTask> backward() const override { return op_->backward(); }
  bool updates_state() const override { return op_->updates_state(); }
  void reference(Pass pass, const engine::ReferenceArguments& arguments) const override {
    op_->reference(pass, arguments);
  }
  std::vector<Candidate> candidates(const Query& query) const override {
    auto all = op_->candidates(query);
    for (Candidate& candidate : all)
      candidate.emit = [emit = candidate.emit, &census = census_, exit = query.node.exit,
                        pass = query.pass](Emitter& emitter) {
        WatchedEmitter watched_emitter(emitter, census, exit, pass);
        emit(watched_emitter);
      };
    return all;
  }

 private:
  std::shared_ptr<const Op> op_;
  Census& census_;
};

// A rule of ops/ whose new op is watched; without a rule: any one node as it is, watched.
class WatchedRule final : public engine::FusionRule {
 public:
  WatchedRule(const FusionRule* rule, Census& census) : rule_(rule), census_(census) {}
  std::optional<Rewrite> match(const Graph& graph, NodeId root, Mode mode) const override {
    std::optional<Rewrite> rewrite;
    if (rule_)
      rewrite = rule_->match(graph, root, mode);
    else
      rewrite = Rewrite{{root}, graph.node(root).op, graph.node(root).inputs};
    if (rewrite) rewrite->op = std::make_shared<const WatchedOp>(rewrite->op, census_);
    return rewrite;
  }

 private:
  const FusionRule* rule_;
  Census& census_;
};

class WatchedStep {
 public:
  explicit WatchedStep(Census& census) : census_(census) {
    for (const engine::FusionRule* rule : ops::fusion_rules()) rules_.emplace_back(rule, census);
    rules_.emplace_back(nullptr, census);
  }

  engine::Program compile(Lanes& lanes) {
    model::NetworkOptions network;
    network.width = 16;
    network.classes = 10;
    network.image_height = network.image_width = 16;
    const model::Recipe recipe;
    const Graph graph = train::training_graph(network, recipe, kBatch);
    layout_ = std::make_shared<const engine::ParameterLayout>(graph);
    std::vector<const engine::FusionRule*> rules;
    for (const WatchedRule& rule : rules_) rules.push_back(&rule);
    engine::CompileOptions options;
    options.choose = engine::Choose::fixed;
    options.fusions = rules;
    engine::Program program = engine::compile(graph, options, lanes);
    for (const auto& [name, value] : model::loss_scalars(recipe, kBatch))
      program.set(name, {&value, 1});
    return program;
  }

  void run(engine::Program& program, Lanes& lanes) {
    engine::ParameterStore store(layout_, engine::DType::f32);
    model::initialise(store, 1);
    engine::Executor executor(lanes);
    testing::watch_teams(&census_);
    executor.run(program, store);
    testing::watch_teams(nullptr);
  }

 private:
  static constexpr std::int64_t kBatch = 4;
  Census& census_;
  std::vector<WatchedRule> rules_;
  std::shared_ptr<const engine::ParameterLayout> layout_;
};
}  // namespace

TEST_CASE(
    "a training step's branches compute side by side, on no more threads than there are cores") {
  Census census;
  Lanes lanes;
  WatchedStep step(census);
  engine::Program program = step.compile(lanes);
  const auto fused = [](const engine::Task& task) {
    return task.name.find(" + ") != std::string::npos;
  };
  REQUIRE(std::any_of(program.tasks().begin(), program.tasks().end(), fused));
  step.run(program, lanes);

  const int cores = engine::allowed_cores();
  CHECK(census.most() <= cores);
  CHECK(census.met(Census::kForward) == (cores > 1));
  CHECK(census.met(Census::kBackward) == (cores > 1));
  CHECK(census.wide_teams_in_branches() == 0);
  CHECK(census.teams_of_main() == 0);
  if (testing::teams_are_seen()) CHECK(census.largest_team() == cores);
}
