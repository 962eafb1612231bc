#include "ops/collective_sum.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Operand, engine::Role, engine::Shape, engine::ValueId;

ValueId build(Graph& graph) {
  return engine::apply(graph, "S", ops::CollectiveSum(), {graph.input("s", {}, Role::scalar)});
}

testing::OpCase number(double s) {
  return {.build = build, .differentiate = {"s"}, .values = {{"s", {s}}}};
}

// Runs the tasks of a scalar op in order. A collective plays the sum over `ranks` ranks that all hold the same number.
class PlayedRanks final : public engine::Emitter {
 public:
  explicit PlayedRanks(double ranks) : ranks_(ranks) {}
  float from = 0, to = 0;
  int collectives = 0;

  void task(engine::EmittedTask task) override {
    void* reads[] = {address(task.reads.at(0))};
    void* writes[] = {address(task.writes.at(0))};
    engine::Lane lane(1);
    task.kernel(lane, engine::Arguments(reads, writes, nullptr));
  }
  Operand temporary(std::size_t bytes) override {
    CHECK(bytes == sizeof(double));
    return {Operand::Kind::temporary, 0};
  }
  Operand pack(engine::EmittedPack) override { return {}; }
  void collective(Operand temporary, std::int64_t count) override {
    CHECK(temporary.kind == Operand::Kind::temporary);
    CHECK(count == 1);
    sum_ *= ranks_;
    ++collectives;
  }

 private:
  void* address(Operand operand) {
    if (operand.kind == Operand::Kind::temporary) return &sum_;
    const bool written =
        operand.kind == Operand::Kind::output || operand.kind == Operand::Kind::d_input;
    return written ? &to : &from;
  }
  double ranks_, sum_ = 0;
};

PlayedRanks play(engine::Pass pass, int ranks, float number) {
  Graph graph;
  build(graph);
  const engine::Query query{.node = graph.nodes().front(),
                            .pass = pass,
                            .inputs = {Shape{}},
                            .outputs = {Shape{}},
                            .needs_gradient = {true},
                            .ranks = ranks};
  PlayedRanks played(ranks);
  played.from = number;
  ops::CollectiveSum().candidates(query).at(0).emit(played);
  return played;
}
}  // namespace

TEST_CASE("collective_sum: the gradient is the derivative of the sum") {
  CHECK(testing::finite_difference_error(number(1.5)) <= testing::kSmoothTolerance);
}

TEST_CASE("collective_sum: fast is the reference") {
  CHECK(testing::worst(testing::fast_errors(number(1.5))) <= testing::kF32Tolerance);
}

TEST_CASE(
    "collective_sum: alone it is the identity; among ranks it sums, and its adjoint is the "
    "identity") {
  const PlayedRanks alone = play(engine::Pass::forward, 1, 1.5F);
  CHECK(alone.collectives == 0);
  CHECK(alone.to == 1.5F);
  const PlayedRanks three = play(engine::Pass::forward, 3, 1.5F);
  CHECK(three.collectives == 1);
  CHECK(three.to == 4.5F);
  const PlayedRanks back = play(engine::Pass::backward, 3, 1.5F);
  CHECK(back.collectives == 0);
  CHECK(back.to == 1.5F);
}

TEST_CASE("collective_sum: bad shapes are refused by name") {
  Graph graph;
  const ValueId s = graph.input("s", {2, 2}, Role::scalar);
  CHECK_THROWS_WITH_AS(engine::apply(graph, "feature/1", ops::CollectiveSum(), {s}),
                       "[collective_sum feature/1] s must be one number, got (2,2)",
                       std::invalid_argument);
}

TEST_CASE("collective_sum: every broken formula is noticed") {
  testing::check_mutants(number(1.5), {"collective_sum.reference.S", "collective_sum.reference.ds"},
                         {"collective_sum.fast.S", "collective_sum.fast.ds"}, 1e-3);
}
