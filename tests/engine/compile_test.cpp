// What compile decides, looked at from outside: cut, feeds, sharing of memory, lanes, same bits.
#include "engine/compile/compile.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/compile/timings.hpp"
#include "engine/executor.hpp"
#include "engine/random.hpp"
#include "engine/compile/roof.hpp"
#include "ops/convolution.hpp"
#include "ops/multiply.hpp"
#include "ops/sigmoid.hpp"

using namespace autodidact::engine;
using autodidact::ops::Convolution;
using autodidact::ops::Multiply;
using autodidact::ops::Sigmoid;

namespace {

constexpr std::int64_t kBatch = 4, kChannels = 24, kSide = 9;

ValueId convolution(Graph& graph, const std::string& name, ValueId x) {
  return apply(graph, name, Convolution({.pad_h = 1, .pad_w = 1}),
               {x, graph.parameter(name + ".weight", {kChannels, kChannels, 3, 3})});
}

// A trunk of four layers, each with a branch of its own, joined at the end: y = Π branches.
Graph branched_graph() {
  Graph graph;
  ValueId trunk = graph.input("x", {kBatch, kChannels, kSide, kSide}, Role::activation);
  std::vector<ValueId> branches;
  for (int k = 1; k <= 4; ++k) {
    const std::string n = std::to_string(k);
    trunk = apply(graph, "trunk" + n, Sigmoid(), {convolution(graph, "conv" + n, trunk)});
    const auto scope = graph.exit(k);
    ValueId branch = convolution(graph, "branch" + n + ".a", trunk);
    branch = apply(graph, "branch" + n + ".gate", Multiply(), {branch, trunk});
    branches.push_back(apply(graph, "branch" + n + ".b", Sigmoid(), {convolution(graph, "branch" + n + ".c", branch)}));
  }
  ValueId y = branches[0];
  for (std::size_t k = 1; k < 4; ++k) y = apply(graph, "join" + std::to_string(k), Multiply(), {y, branches[k]});
  graph.output("y", y);
  graph.output("first branch", branches[0]);
  return graph;
}

CompileOptions options_of() {
  CompileOptions options;
  options.choose = Choose::fixed;
  options.cotangents = {"y"};
  options.differentiate = {"x"};
  return options;
}

std::vector<double> random_numbers(std::int64_t count, std::uint64_t sample) {
  Random random(3, Purpose::probe, 0, sample);
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (double& number : numbers) number = 0.1 * random.normal();
  return numbers;
}

// One step from fixed numbers: y, dx and every parameter's gradient.
std::vector<std::vector<double>> step(const Graph& graph, const CompileOptions& options, Lanes& lanes) {
  ParameterStore store(std::make_shared<const ParameterLayout>(graph), DType::f32);
  std::uint64_t sample = 0;
  for (const Slot& slot : store.layout().parameters())
    store.set(Section::values, slot, random_numbers(slot.count, ++sample));
  Program program = compile(graph, options, lanes);
  program.set("x", random_numbers(kBatch * kChannels * kSide * kSide, 100));
  program.set("d/join3", random_numbers(kBatch * kChannels * kSide * kSide, 101));
  Executor executor(lanes);
  executor.run(program, store);
  executor.run(program, store);  // a second step must find nothing of the first
  std::vector<std::vector<double>> results{program.get("y"), program.get("d/x")};
  for (const Slot& slot : store.layout().parameters()) results.push_back(store.get(Section::gradients, slot));
  return results;
}
}  // namespace

TEST_CASE("sharing memory changes no bit and saves most of it") {
  const Graph graph = branched_graph();
  Lanes lanes;
  CompileOptions shared = options_of(), separate = options_of();
  separate.reuse = false;
  CHECK(step(graph, shared, lanes) == step(graph, separate, lanes));
  const std::size_t small = compile(graph, shared, lanes).memory().arena;
  const std::size_t large = compile(graph, separate, lanes).memory().arena;
  CHECK(small < large * 2 / 3);
}

TEST_CASE("two compilations and two runs give the same bits") {
  const Graph graph = branched_graph();
  Lanes lanes;
  CHECK(step(graph, options_of(), lanes) == step(graph, options_of(), lanes));
}

TEST_CASE("lanes of one thread compute what the wide lane of one thread computes, bit for bit") {
  const Graph graph = branched_graph();
  Lanes lanes(1);
  CompileOptions wide = options_of();
  wide.branches = Branches::in_turn;
  CHECK(step(graph, options_of(), lanes) == step(graph, wide, lanes));
}

namespace {
// Whether every task runs once, and behind all that it waits for: in an earlier phase, or earlier in its own list.
bool in_order(const Program& program) {
  struct Moment {
    std::size_t phase = 0, list = 0, position = 0;
  };
  std::map<std::int32_t, Moment> moments;
  for (std::size_t p = 0; p < program.phases().size(); ++p)
    for (std::size_t l = 0; l < program.phases()[p].lists.size(); ++l)
      for (std::size_t i = 0; i < program.phases()[p].lists[l].size(); ++i)
        if (!moments.emplace(program.phases()[p].lists[l][i], Moment{p, l, i}).second) return false;
  if (moments.size() != program.tasks().size()) return false;
  for (const auto& [task, now] : moments)
    for (const std::int32_t before : program.tasks()[static_cast<std::size_t>(task)].waits) {
      const Moment then = moments.at(before);
      const bool over = then.phase < now.phase || (then.phase == now.phase && then.list == now.list && then.position < now.position);
      if (!over) return false;
    }
  return true;
}
}  // namespace

TEST_CASE("a part of the trunk beside the branches, in lanes as large as the wide one, computes what it computes alone, bit for bit") {
  const Graph graph = branched_graph();
  Lanes lanes(Lanes::Layout{.wide = 2, .narrow_size = 2, .narrow_count = 2});
  CompileOptions beside = options_of(), wide = options_of();
  wide.branches = Branches::in_turn;
  beside.branches = Branches::automatic;
  beside.prefer = {line_of(Branches::side_by_side), beside_line("conv4", Pass::forward), beside_line("trunk4", Pass::forward),
                   beside_line("conv4", Pass::backward_data), beside_line("conv3", Pass::backward_weights)};
  CHECK(step(graph, beside, lanes) == step(graph, wide, lanes));
  const Program program = compile(graph, beside, lanes);
  CHECK(in_order(program));
  CHECK(beside_lines(program) == std::set<std::string>(beside.prefer.begin() + 1, beside.prefer.end()));
  CHECK(std::any_of(program.phases().begin(), program.phases().end(), [](const Phase& phase) { return phase.lists.size() > 4; }));  // beside four branches
  CHECK(in_order(compile(graph, options_of(), lanes)));
}

TEST_CASE("branches run in split phases, one list a branch, forward and backward, and the trunk runs wide") {
  Lanes lanes;
  const Program program = compile(branched_graph(), options_of(), lanes);
  bool forward = false, backward = false;
  for (const Phase& phase : program.phases()) {
    if (phase.wide) {
      for (const auto task : phase.lists.front()) CHECK(program.tasks()[static_cast<std::size_t>(task)].branch == 0);
      continue;
    }
    for (const auto& list : phase.lists)
      for (const auto task : list)
        CHECK(program.tasks()[static_cast<std::size_t>(task)].branch == program.tasks()[static_cast<std::size_t>(list.front())].branch);
    if (phase.lists.size() != 4) continue;
    const Pass pass = program.tasks()[static_cast<std::size_t>(phase.lists.back().back())].pass;
    (pass == Pass::forward ? forward : backward) = true;
  }
  CHECK(forward);
  CHECK(backward);
}

TEST_CASE("cut keeps only what an output needs, and a fed value needs nothing before it") {
  Lanes lanes(1);
  const Graph graph = branched_graph();
  CompileOptions options;
  options.choose = Choose::fixed;
  options.gradients = false;
  options.outputs = {"first branch"};
  const auto names = [](const Program& program) {
    std::vector<std::string> nodes;
    for (const Task& task : program.tasks())
      if (!task.node.empty() && std::find(nodes.begin(), nodes.end(), task.node) == nodes.end()) nodes.push_back(task.node);
    return nodes;
  };
  CHECK(names(compile(graph, options, lanes)) ==
        std::vector<std::string>{"conv1", "trunk1", "branch1.a", "branch1.gate", "branch1.c", "branch1.b"});
  options.feeds = {"trunk1"};
  const Program fed = compile(graph, options, lanes);
  CHECK(names(fed) == std::vector<std::string>{"branch1.a", "branch1.gate", "branch1.c", "branch1.b"});
  CHECK(fed.inputs().contains("trunk1"));
  CHECK_FALSE(fed.inputs().contains("x"));
}

TEST_CASE("a fed value keeps the format in which another program made it: nothing is reordered, and no bit changes") {
  Lanes lanes(1);
  Graph graph = branched_graph();
  graph.output("cut", graph.find("trunk2"));
  Executor executor(lanes);
  ParameterStore store(std::make_shared<const ParameterLayout>(graph), DType::f32);
  for (const Slot& slot : store.layout().parameters()) store.set(Section::values, slot, random_numbers(slot.count, slot.name.size()));
  store.touched();
  const auto program = [&](std::vector<std::string> outputs, std::map<std::string, FeedType> feeds) {
    CompileOptions options;
    options.choose = Choose::fixed;
    options.gradients = false;
    options.outputs = std::move(outputs);
    for (const auto& [name, type] : feeds) options.feeds.push_back(name);
    options.feed_types = std::move(feeds);
    // The blocks of a machine with AVX-512, which 24 channels do not fill; others offer what they have.
    options.blocks = {16};
    return compile(graph, options, lanes);
  };
  const auto run = [&](Program& of, std::string_view input, const std::vector<double>& numbers) {
    of.set(input, numbers);
    executor.run(of, store);
  };
  const auto numbers = random_numbers(kBatch * kChannels * kSide * kSide, 1);
  Program whole = program({"y"}, {}), upper = program({"cut"}, {});
  run(whole, "x", numbers);
  run(upper, "x", numbers);
  const TensorType cut = upper.outputs().at("cut").type;
  // The first branch does not lie behind the cut: y as a whole needs it, and so the images too.
  Program lower = program({"y"}, {{"trunk2", FeedType(cut)}});
  CHECK(lower.inputs().at("trunk2").type == cut);
  const auto made = upper.bytes("cut"), fed = lower.bytes("trunk2");
  REQUIRE(made.size() == fed.size());
  std::copy(made.begin(), made.end(), fed.begin());
  run(lower, "x", numbers);
  CHECK(lower.get("y") == whole.get("y"));
  for (const Task& task : lower.tasks()) CHECK(task.name != "reorder trunk2");
  // The numbers that one reads are those that one writes, in any format.
  lower.set("trunk2", upper.get("cut"));
  CHECK(std::equal(made.begin(), made.end(), fed.begin()));
  if (cut.layout_text() != "plain") CHECK_THROWS_AS(lower.input<float>("trunk2"), std::invalid_argument);
  CHECK_THROWS_AS(program({"y"}, {{"conv9", {}}}), std::invalid_argument);
}

TEST_CASE("a program writes only gradients that something depends on, and says which") {
  Lanes lanes(1);
  const Graph graph = branched_graph();
  CompileOptions options;
  options.choose = Choose::fixed;
  options.cotangents = {"first branch"};
  options.outputs = {"first branch"};
  const Program program = compile(graph, options, lanes);
  const std::vector<std::string> gradients(program.gradients().begin(), program.gradients().end());
  CHECK(gradients == std::vector<std::string>{"branch1.a.weight", "branch1.c.weight", "conv1.weight"});
}

TEST_CASE("what there is no gradient by is refused in one sentence") {
  Lanes lanes(1);
  Graph graph = branched_graph();
  graph.input("labels", {kBatch}, Role::label);
  for (const char* name : {"labels", "nothing", "conv1.weight"}) {
    CompileOptions options = options_of();
    options.differentiate = {name};
    CHECK_THROWS_WITH_AS(compile(graph, options, lanes), doctest::Contains(name), std::invalid_argument);
  }
}

TEST_CASE("another batch size inherits the choices of the main program, formats too") {
  Lanes lanes(1);
  const Graph graph = branched_graph();
  CompileOptions winograd = options_of();
  winograd.prefer = {"winograd"};
  const Program main = compile(graph, winograd, lanes);
  CompileOptions heir = options_of();
  heir.inherit = &main;
  const Program second = compile(graph, heir, lanes);
  const auto choices = [](const Program& program) {
    std::vector<std::string> all;
    for (const Task& task : program.tasks()) all.push_back(task.name + task.candidate + task.implementation + task.formats);
    return all;
  };
  CHECK(choices(second) == choices(main));

  // Both blocks are offered, in another order than to the main program.
  CompileOptions channels_last = options_of();
  channels_last.blocks = {Query::kChannelsLast, 8};
  const Program other_main = compile(graph, channels_last, lanes);
  heir.inherit = &other_main;
  heir.blocks = {8, Query::kChannelsLast};
  CHECK(choices(compile(graph, heir, lanes)) == choices(other_main));
  heir.inherit = nullptr;
  CHECK(choices(compile(graph, heir, lanes)) != choices(other_main));
}

namespace {
// One output of the shape of its first input; forward only, and only fast.
class Forward : public Op {
 public:
  std::vector<Port> inputs() const override { return {{"x"}}; }
  std::vector<Shape> infer(std::string_view, std::span<const Shape> inputs) const override { return {inputs[0]}; }
  std::vector<BackwardTask> backward() const override { return {}; }
  void reference(Pass, const ReferenceArguments&) const override {}
};

// y = 2·x, in several ways. A wrong one makes factor·x of the first of so many parts only, so that it would be chosen for its speed.
struct Way {
  std::string id, implementation;
  float factor = 2;
  std::int64_t parts = 1;
  double products = 0;
  int ms = 0;  // that it sleeps besides
};
class Twice final : public Forward {
 public:
  Twice(std::string name, std::vector<Way> ways) : name_(std::move(name)), ways_(std::move(ways)) {}
  std::string_view kind() const override { return "twice"; }
  std::string describe() const override { return name_; }
  std::vector<Candidate> candidates(const Query& query) const override {
    std::vector<Candidate> all;
    for (const Way& way : ways_) {
      Candidate& candidate = all.emplace_back();
      candidate.id = way.id;
      candidate.implementation = way.implementation;
      candidate.products = way.products;
      candidate.types = {{in(0), query.type(query.inputs[0], 1)}, {out(), query.type(query.inputs[0], 1)}};
      candidate.emit = [way, count = query.inputs[0].count() / way.parts](Emitter& emitter) {
        emitter.task({"", {in(0)}, {out()}, 0, [way, count](Lane&, const Arguments& a) {
                        for (std::int64_t i = 0; i < count; ++i) a.write<float>(0)[i] = way.factor * a.read<float>(0)[i];
                        std::this_thread::sleep_for(std::chrono::milliseconds(way.ms));
                      }});
      };
    }
    return all;
  }

 private:
  std::string name_;
  std::vector<Way> ways_;
};

// Of the candidates of such an op alone, measured.
Program measured(Lanes& lanes, const Twice& twice) {
  Graph graph;
  graph.output("y", apply(graph, "twice", twice, {graph.input("x", {2, 8, 16, 16}, Role::activation)}));
  return compile(graph, {.choose = Choose::measure, .gradients = false}, lanes);
}
}  // namespace

TEST_CASE("a candidate whose result disagrees with the others' is dropped and named, also when its time is known already") {
  Lanes lanes(1);
  for (int start = 0; start < 2; ++start) {
    const Program program = measured(lanes, Twice("one is lazy", {{"lazy", "lazy", 2, 4096}, {"left", "left"}, {"right", "right"}}));
    REQUIRE(program.dropped().size() == 1);
    CHECK(program.dropped()[0].starts_with("twice forward: lazy"));
    for (const Task& task : program.tasks()) CHECK(task.candidate != "lazy");
  }
}

TEST_CASE("what cannot be the fastest by its products alone is not run, but for the first, and is taken only where it is preferred") {
  Lanes lanes(1);
  constexpr double kSeconds = 1e15;  // on any CPU
  const Twice twice("some cannot win", {{"direct", "asked", 2, 1, kSeconds}, {"direct", "unasked", 2, 1, kSeconds}, {"direct", "few", 2, 1, 1}, {"ours", "ours"}});
  const Program program = measured(lanes, twice);
  const bool known = compile_passes::least_ms_of_products(1) > 0;
  if (known) CHECK(program.tasks().front().implementation != "unasked");
  const auto timed = [](const std::string& implementation) {
    for (const auto& [key, ms] : timings().all())
      if (key.find("some cannot win") != std::string::npos && key.find(implementation) != std::string::npos) return true;
    return false;
  };
  for (const char* run : {"direct asked", "direct few", "ours ours"}) CHECK(timed(run));
  CHECK(timed("direct unasked") != known);
  Graph graph;
  graph.output("y", apply(graph, "twice", twice, {graph.input("x", {2, 8, 16, 16}, Role::activation)}));
  const std::string before = "twice\tforward\tdirect\tunasked\tplain plain";
  const Program again = compile(graph, {.choose = Choose::measure, .gradients = false, .prefer = {before}}, lanes);
  CHECK(again.tasks().front().implementation == "unasked");
}

TEST_CASE("what was not run because of a candidate that is wrong is run after all") {
  Lanes lanes(1);
  // Lazy beats what the products of the second would take, but is wrong.
  constexpr double kTwoMilliseconds = 1.2e8;
  const Program program = measured(lanes, Twice("lazy hides another", {{"direct", "slow", 2, 1, 0, 20}, {"direct", "hidden", 2, 1, kTwoMilliseconds}, {"ours", "lazy", 2, 4096}, {"other", "slow too", 2, 1, 0, 20}}));
  REQUIRE(program.dropped().size() == 1);
  CHECK(program.dropped()[0].starts_with("twice forward: lazy"));
  CHECK(program.tasks().front().implementation == "hidden");
}

TEST_CASE("candidates of one id have one vote: two that share a fault do not outvote the direct one, wherever it stands") {
  Lanes lanes(1);
  const Way direct{"direct", "direct"}, first{"ours", "first", 3}, second{"ours", "second", 3};
  for (const std::vector<Way>& ways : {std::vector{direct, first, second}, {first, second, direct}, {first, direct, second}}) {
    const Program program = measured(lanes, Twice("two share a fault, " + ways[0].implementation + ways[1].implementation, ways));
    REQUIRE(program.dropped().size() == 2);
    for (const Task& task : program.tasks()) CHECK(task.candidate == "direct");
  }
}

namespace {
struct Company {
  std::atomic<int> inside = 0;
  std::atomic<bool> met = false, shared = false;
};
// Adds one to each number. Takes so long in the narrow lane of two, and so long in the wide one. In narrow lanes it waits until another has come, and
// remembers if one has, and whether it was of the same candidate, as primitives are, which must not be in two places.
struct Slow {
  int narrow_ms = 0, wide_ms = 0;
  Company* company = nullptr;
};
class Sleeper final : public Forward {
 public:
  Sleeper(std::string name, Slow slow) : name_(std::move(name)), slow_(slow) {}
  std::string_view kind() const override { return "sleeper"; }
  std::string describe() const override { return name_; }
  std::vector<Candidate> candidates(const Query& query) const override {
    Candidate candidate;
    candidate.id = candidate.implementation = "only";
    candidate.types = {{in(0), query.type(query.inputs[0], 1)}, {out(), query.type(query.inputs[0], 1)}};
    candidate.emit = [slow = slow_, count = query.inputs[0].count(), users = std::make_shared<std::atomic<int>>(0)](Emitter& emitter) {
      emitter.task({"", {in(0)}, {out()}, 0, [slow, count, users](Lane& lane, const Arguments& a) {
                      for (std::int64_t i = 0; i < count; ++i) a.write<float>(0)[i] = a.read<float>(0)[i] + 1;
                      std::this_thread::sleep_for(std::chrono::milliseconds(lane.size() == 1 ? slow.narrow_ms : slow.wide_ms));
                      if (lane.size() != 1 || !slow.company) return;
                      Company& company = *slow.company;
                      ++company.inside;
                      if (++*users > 1) company.shared = true;
                      for (int wait = 0; wait < 200 && company.inside < 2; ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                      if (company.inside >= 2) company.met = true;
                      --company.inside;
                      --*users;
                    }});
    };
    return {candidate};
  }

 private:
  std::string name_;
  Slow slow_;
};

// Two branches, each of one such op.
Program two_branches(Lanes& lanes, const std::string& name, const Slow& slow, CompileOptions options = {}) {
  Graph graph;
  const ValueId x = graph.input("x", {2, 8, 4, 4}, Role::activation);
  for (int k = 1; k <= 2; ++k) {
    const auto scope = graph.exit(k);
    graph.output("y" + std::to_string(k), apply(graph, "branch" + std::to_string(k), Sleeper(name, slow), {x}));
  }
  options.gradients = false;
  options.branches = Branches::automatic;
  return compile(graph, options, lanes);
}
}  // namespace

TEST_CASE("automatic branches run side by side or in turn, whichever takes less time by what was measured") {
  Lanes two(Lanes::layout_for(2));
  const Program narrow = two_branches(two, "fast where narrow", {2, 20});
  CHECK(narrow.divided());
  CHECK(narrow.planned().side_by_side_ms < narrow.planned().in_turn_ms);
  const Program wide = two_branches(two, "fast where wide", {20, 2});
  CHECK_FALSE(wide.divided());
  CHECK(wide.planned().in_turn_ms >= 4);  // one after the other
  // Other sizes and a run that goes on have it as it was; what is not measured has lanes, one thread has none.
  CHECK_FALSE(two_branches(two, "never timed", {1, 1}, {.inherit = &wide}).divided());
  CHECK_FALSE(two_branches(two, "known", {1, 1}, {.prefer = {line_of(Branches::in_turn)}}).divided());
  CHECK(two_branches(two, "fast where wide", {20, 2}, {.prefer = {line_of(Branches::side_by_side)}}).divided());
  CHECK(two_branches(two, "never timed", {1, 1}, {.choose = Choose::fixed}).divided());
  CHECK_FALSE(two_branches(two, "never timed", {1, 1}, {.choose = Choose::fixed, .recompute = Recompute::stage}).divided());
  Lanes one(1);
  CHECK_FALSE(two_branches(one, "known", {1, 1}).divided());
  for (const auto& [key, ms] : timings().used()) CHECK(key.find("never timed") == std::string::npos);
}

TEST_CASE("a part of the trunk runs beside the branches where that takes less time by what was measured") {
  Lanes two(Lanes::layout_for(2));
  // The second layer of the trunk beside its branch, which keeps one of two lanes busy for long.
  const auto program = [&](const std::string& name, const Slow& trunk, CompileOptions options = {}) {
    Graph graph;
    const ValueId x = apply(graph, "first", Sleeper(name + " first", {3, 3}), {graph.input("x", {2, 8, 4, 4}, Role::activation)});
    {
      const auto scope = graph.exit(1);
      graph.output("y1", apply(graph, "branch", Sleeper(name + " branch", {20, 40}), {x}));
    }
    graph.output("y", apply(graph, "third", Sleeper(name + " third", trunk), {apply(graph, "second", Sleeper(name + " second", trunk), {x})}));
    options.gradients = false;
    options.branches = Branches::automatic;
    return compile(graph, options, two);
  };
  const auto beside = [](const Program& made) {
    std::vector<std::string> nodes;
    for (const Task& task : made.tasks())
      if (task.branch == Task::kBeside) nodes.push_back(task.node);
    return nodes;
  };
  Program faster = program("as fast where narrow", {8, 8});
  CHECK(beside(faster) == std::vector<std::string>{"second", "third"});
  CHECK(faster.phases().size() == 2);
  CHECK(faster.planned().beside_trunk_ms < faster.planned().side_by_side_ms);
  ParameterStore store(std::make_shared<const ParameterLayout>(Graph()), DType::f32);
  faster.set("x", std::vector<double>(2 * 8 * 4 * 4, 1.0));
  Executor executor(two);
  executor.run(faster, store);
  CHECK(faster.get("y") == std::vector<double>(2 * 8 * 4 * 4, 4.0));
  CHECK(faster.get("y1") == std::vector<double>(2 * 8 * 4 * 4, 3.0));
  // Guessed to take twice as long there, measured to take ten times.
  const Program slower = program("slow where narrow", {30, 3});
  CHECK(slower.divided());
  CHECK(slower.planned().beside_trunk_ms > slower.planned().side_by_side_ms);
  CHECK(beside(slower).empty());
  // Other sizes and a run that goes on have it as it was.
  CHECK(beside(program("never timed", {1, 1}, {.inherit = &faster})) == beside(faster));
  const std::vector<std::string> prefer{line_of(Branches::side_by_side), beside_line("third", Pass::forward)};
  CHECK(beside(program("never timed", {1, 1}, {.choose = Choose::fixed, .prefer = prefer})) == std::vector<std::string>{"third"});
  CHECK(beside(program("as fast where narrow", {8, 8}, {.prefer = {line_of(Branches::side_by_side)}})).empty());
}

TEST_CASE("the planned time is that of all measured tasks, and of the reorders between them") {
  Lanes two(Lanes::layout_for(2));
  Graph graph;
  const ValueId x = graph.input("x", {4, 32, 64, 64}, Role::activation), trunk = apply(graph, "trunk", Sigmoid(), {x});
  for (int k = 1; k <= 2; ++k) {
    const auto scope = graph.exit(k);
    graph.output("y" + std::to_string(k), apply(graph, "branch" + std::to_string(k), Sleeper("behind blocks", {40, 1}), {trunk}));
  }
  const Program program = compile(graph, {.gradients = false, .blocks = {8}, .branches = Branches::automatic}, two);
  REQUIRE_FALSE(program.divided());
  double measured = 0, reordered = 0;
  for (const Task& task : program.tasks()) {
    measured += task.predicted_ms;
    if (task.candidate == "reorder" && !task.name.starts_with("reorder x")) reordered += 2.0 * static_cast<double>(task.result.bytes()) / 16e6;
  }
  CHECK(measured > 1);
  CHECK(reordered > 0.2);
  CHECK(program.planned().in_turn_ms >= doctest::Approx(measured + reordered));
}

TEST_CASE("weights that stay are packed outside of what is timed") {
  // Two ways: one packs its weights for long and then is fast.
  class Packs final : public Forward {
   public:
    std::string_view kind() const override { return "packs"; }
    std::string describe() const override { return ""; }
    std::vector<Port> inputs() const override { return {{"x"}, {"w", Role::parameter}}; }
    std::vector<Candidate> candidates(const Query& query) const override {
      std::vector<Candidate> all(2);
      all[0].id = all[0].implementation = "packed";
      all[1].id = all[1].implementation = "plain";
      for (Candidate& candidate : all) {
        const bool packed = candidate.id == "packed";
        candidate.types = {{in(0), query.type(query.inputs[0], 1)}, {out(), query.type(query.inputs[0], 1)}};
        candidate.emit = [packed, count = query.inputs[0].count()](Emitter& emitter) {
          const auto sleep = [](int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
          const Operand w = packed ? emitter.pack({{in(1)}, "", 64, 0, [sleep](Lane&, const Arguments&) { sleep(60); }}) : in(1);
          emitter.task({"", {in(0), w}, {out()}, 0, [=](Lane&, const Arguments& a) {
                          std::copy_n(a.read<float>(0), count, a.write<float>(0));
                          sleep(packed ? 1 : 8);
                        }});
        };
      }
      return all;
    }
  };
  Lanes lanes(1);
  Graph graph;
  graph.output("y", apply(graph, "y", Packs(), {graph.input("x", {2, 8, 4, 4}, Role::activation), graph.parameter("w", {8})}));
  const Program program = compile(graph, {.gradients = false}, lanes);
  CHECK(std::any_of(program.tasks().begin(), program.tasks().end(), [](const Task& task) { return task.candidate == "packed"; }));
}

TEST_CASE("what runs in a narrow lane is measured in all of them at once, each with candidates of its own") {
  if (allowed_cores() < 2) return;  // TBB has no more threads than there are cores
  Lanes two(Lanes::layout_for(2));
  Company company;
  two_branches(two, "company", {0, 0, &company});
  CHECK(company.met);
  CHECK_FALSE(company.shared);
}

TEST_CASE("compile refuses names that the graph does not have") {
  Lanes lanes(1);
  const Graph graph = branched_graph();
  const auto refused = [&](auto change) {
    CompileOptions options = options_of();
    change(options);
    CHECK_THROWS_AS(compile(graph, options, lanes), std::invalid_argument);
  };
  refused([](CompileOptions& o) { o.outputs = {"nothing"}; });
  refused([](CompileOptions& o) { o.feeds = {"nothing"}; });
  refused([](CompileOptions& o) { o.cotangents = {"nothing"}; });
  refused([](CompileOptions& o) { o.differentiate = {"trunk1"}; });
}
