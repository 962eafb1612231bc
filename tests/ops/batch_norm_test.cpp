#include "ops/batch_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "engine/communicator.hpp"
#include "engine/executor.hpp"
#include "engine/mutation.hpp"
#include "ops/add.hpp"
#include "ops/batch_norm_kernels.hpp"
#include "ops/relu.hpp"
#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Graph, engine::Mode, engine::Role, engine::Shape, engine::ValueId;
using ops::BatchNorm, ops::Tail;

// 24 channels: 16 does not divide them; 35 positions: no lanes divide them.
const Shape kShape{3, 24, 5, 7};
// A mean over a hundred samples in f32, taken away from each, then divided by the root of another.
constexpr double kFastTolerance = testing::kF32Tolerance;

std::vector<ValueId> batch_norm_inputs(Graph& graph, const Shape& x) {
  const Shape channels{x[1]};
  return {graph.input("x", x, Role::activation), graph.parameter("gamma", channels),
          graph.parameter("beta", channels), graph.state("running_mean", channels),
          graph.state("running_var", channels)};
}

testing::OpCase fused(Tail tail, Mode mode = Mode::train) {
  testing::OpCase op;
  op.build = [tail](Graph& graph) {
    auto inputs = batch_norm_inputs(graph, kShape);
    if (tail == Tail::add_relu) inputs.push_back(graph.input("z", kShape, Role::activation));
    return engine::apply(graph, "bn", BatchNorm({}, tail), inputs);
  };
  op.differentiate = {"x"};
  if (tail == Tail::add_relu) op.differentiate.push_back("z");
  op.mode = mode;
  return op;
}

testing::OpCase chain(Tail tail, Mode mode = Mode::train) {
  testing::OpCase op = fused(tail, mode);
  op.build = [tail](Graph& graph) {
    ValueId y = engine::apply(graph, "bn", BatchNorm(), batch_norm_inputs(graph, kShape));
    if (tail == Tail::add_relu)
      y = engine::apply(graph, "sum", ops::Add(), {graph.input("z", kShape, Role::activation), y});
    return engine::apply(graph, "relu", ops::Relu(), {y});
  };
  return op;
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

// 1 channel, 4 samples: x = 1, 2, 3, 6: μ = 3, σ² = 14/4, unbiased 14/3.
testing::OpCase four_samples() {
  testing::OpCase op;
  op.build = [](Graph& graph) {
    return engine::apply(graph, "bn", BatchNorm({.epsilon = 0.5, .momentum = 0.1}),
                         batch_norm_inputs(graph, {2, 1, 1, 2}));
  };
  op.values = {{"x", {1, 2, 3, 6}},
               {"gamma", {2}},
               {"beta", {1}},
               {"running_mean", {10}},
               {"running_var", {20}}};
  return op;
}

void node_of(const Shape& x, const Shape& gamma, const Shape& z) {
  Graph graph;
  auto inputs = batch_norm_inputs(graph, {1, 8, 2, 2});
  inputs[0] = graph.input("other x", x, Role::activation);
  inputs[1] = graph.parameter("other gamma", gamma);
  inputs.push_back(graph.input("z", z, Role::activation));
  engine::apply(graph, "layer2.0.bn1", BatchNorm({}, Tail::add_relu), inputs);
}

constexpr Tail kTails[] = {Tail::none, Tail::relu, Tail::add_relu};
}  // namespace

TEST_CASE(
    "batch_norm: the gradient is the derivative, with every tail, in training and in inference") {
  for (const Tail tail : kTails)
    for (const Mode mode : {Mode::train, Mode::infer}) {
      CAPTURE(static_cast<int>(tail));
      CAPTURE(static_cast<int>(mode));
      CHECK(testing::finite_difference_error(fused(tail, mode)) <= testing::kSmoothTolerance);
    }
}

TEST_CASE("batch_norm: fast is the reference, with every tail, in training and in inference") {
  for (const Tail tail : kTails)
    for (const Mode mode : {Mode::train, Mode::infer})
      for (const auto& [name, error] : testing::fast_errors(fused(tail, mode))) {
        CAPTURE(static_cast<int>(tail));
        CAPTURE(static_cast<int>(mode));
        CAPTURE(name);
        CHECK(error <= kFastTolerance);
      }
}

TEST_CASE("batch_norm: per channel, dx sums to 0, and so does dx times the normalised x") {
  const auto op = fused(Tail::none);
  // f32: rounding of about a hundred terms, each below 10.
  for (const auto& [backend, tolerance] :
       {std::pair{Backend::reference, 1e-12}, std::pair{Backend::fast, 1e-4}}) {
    auto identity = op;
    std::vector<double> x(static_cast<std::size_t>(kShape.count()));
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = std::sin(0.37 * static_cast<double>(i * i % 1001));
    identity.values = {{"x", x}};
    // ε small beside σ²: with it, Σ dx·x̂ is no longer exactly 0 but ε·r² of dγ.
    identity.build = [](Graph& graph) {
      return engine::apply(graph, "bn", BatchNorm({.epsilon = 1e-15}),
                           batch_norm_inputs(graph, kShape));
    };
    const auto dx = testing::run(identity, backend).at("d/x");
    const std::int64_t plane = kShape[2] * kShape[3];
    for (std::int64_t c = 0; c < kShape[1]; ++c) {
      double sum = 0, product = 0, size = 0;
      for (std::int64_t n = 0; n < kShape[0]; ++n)
        for (std::int64_t i = 0; i < plane; ++i) {
          const auto at = static_cast<std::size_t>((n * kShape[1] + c) * plane + i);
          sum += dx[at];
          product += dx[at] * x[at];  // the mean of x takes no part, as dx sums to 0
          size += std::abs(dx[at]);
        }
      CHECK(size > 1);
      CHECK(std::abs(sum) <= tolerance);
      CHECK(std::abs(product) <= tolerance);
    }
  }
}

TEST_CASE("batch_norm: fused with what follows it is the chain of the three ops") {
  for (const Tail tail : {Tail::relu, Tail::add_relu})
    for (const Mode mode : {Mode::train, Mode::infer})
      // f32: x is read twice either way, but a chain rounds once more between its ops.
      for (const auto& [backend, tolerance] :
           {std::pair{Backend::reference, 1e-13}, std::pair{Backend::fast, 3e-5}}) {
        // Both name their inputs in the same order, so the harness gives them the same numbers.
        const auto whole = testing::run(fused(tail, mode), backend);
        const auto parts = testing::run(chain(tail, mode), backend);
        CHECK(whole.size() == parts.size());
        for (const auto& [name, numbers] : whole) {
          CAPTURE(name);
          CHECK(difference(numbers, parts.at(name)) <= tolerance);
        }
      }
}

TEST_CASE("batch_norm: four numbers by hand, and the running statistics after them") {
  const double r = 1 / std::sqrt(14.0 / 4 + 0.5);  // 1/2
  for (const Backend backend : {Backend::reference, Backend::fast}) {
    const auto results = testing::run(four_samples(), backend);
    for (const auto& [i, x] :
         {std::pair{0, 1.0}, std::pair{1, 2.0}, std::pair{2, 3.0}, std::pair{3, 6.0}})
      CHECK(results.at("y")[static_cast<std::size_t>(i)] == doctest::Approx(2 * (x - 3) * r + 1));
    CHECK(results.at("running_mean")[0] == doctest::Approx(0.9 * 10 + 0.1 * 3));
    CHECK(results.at("running_var")[0] == doctest::Approx(0.9 * 20 + 0.1 * 14.0 / 3));
  }
  auto frozen = four_samples();
  frozen.mode = Mode::infer;
  for (const Backend backend : {Backend::reference, Backend::fast}) {
    const auto results = testing::run(frozen, backend);
    CHECK(results.at("y")[3] == doctest::Approx(2 * (6 - 10) / std::sqrt(20.5) + 1));
    CHECK(results.at("running_mean")[0] == 10);
    CHECK(results.at("running_var")[0] == 20);
  }
}

TEST_CASE("batch_norm: a mean ten thousand times the deviation costs no accuracy") {
  auto op = fused(Tail::none);
  std::vector<double> x(static_cast<std::size_t>(kShape.count()));
  // Multiples of 1/64 near 512: f32 holds them exactly, and nearly all of μ.
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 512 + static_cast<double>(i * i % 7) / 64;
  op.values = {{"x", x}};
  const auto fast = testing::run(op, Backend::fast),
             reference = testing::run(op, Backend::reference);
  // μ itself is rounded to 3e-5, a thousandth of σ.
  CHECK(difference(fast.at("y"), reference.at("y")) <= 5e-3);
  for (std::size_t c = 0; c < 24; ++c)
    CHECK(fast.at("running_var")[c] ==
          doctest::Approx(reference.at("running_var")[c]).epsilon(1e-6));
}

TEST_CASE("batch_norm: backward finds the ReLU open exactly where forward left it open") {
  namespace kernels = ops::batch_norm_kernels;
  constexpr std::int64_t kChannels = 16, kPositions = 37;
  for (const std::int64_t block : {1, 8, 16}) {
    const kernels::Sweep sweep({{1, kChannels, 1, kPositions}, engine::DType::f32, {block}});
    const auto count = static_cast<std::size_t>(kChannels * kPositions);
    std::vector<float> x(count), y(count), dy(count, 1.0F);
    std::vector<double> sums(sweep.sums_count());
    std::vector<double> scratch(sweep.scratch_bytes(1) / sizeof(double) + 1);
    const auto factors = kernels::factors(sweep, scratch.data());
    for (std::int64_t c = 0; c < kChannels; ++c) {
      factors.mean[c] = 0.1F * static_cast<float>(c);
      factors.scale[c] = 0.7F + 0.01F * static_cast<float>(c);
    }
    for (std::size_t i = 0; i < count; ++i) x[i] = 0.3F + 1e-7F * static_cast<float>(i % 5);
    engine::Lane lane(1);
    // β = −γ·x̂ of one of the numbers, rounded: what is left in front of the ReLU is rounding error and nothing else.
    kernels::normalise(lane, sweep, factors, x.data(), nullptr, y.data(), false);
    for (std::int64_t c = 0; c < kChannels; ++c) {
      const std::int64_t first =
          block == 1 ? c * kPositions : c / block * block * kPositions + c % block;
      factors.shift[c] = -y[static_cast<std::size_t>(first)];
    }
    kernels::normalise(lane, sweep, factors, x.data(), nullptr, y.data(), true);
    double open = 0, counted = 0;
    for (const float v : y) open += v > 0 ? 1 : 0;
    kernels::reduce(lane, sweep, factors, x.data(),
                    {{dy.data()}, 1, kernels::Mask::recompute, nullptr}, nullptr, sums.data(),
                    scratch.data());
    for (std::int64_t c = 0; c < kChannels; ++c) counted += sums[static_cast<std::size_t>(c)];
    CHECK(open > 0);
    CHECK(open < static_cast<double>(count));
    CHECK(counted == open);
  }
}

TEST_CASE("batch_norm: channels that only fill up a block are written as zeros") {
  namespace kernels = ops::batch_norm_kernels;
  constexpr std::int64_t kPositions = 9;
  for (const std::int64_t block : {8, 16}) {
    const kernels::Sweep sweep({{1, 3, 3, 3}, engine::DType::f32, {block}});
    const auto count = static_cast<std::size_t>(block * kPositions);
    std::vector<float> x(count), y(count, 7.0F), dx(count, 7.0F);
    for (std::size_t i = 0; i < count; ++i)
      x[i] = static_cast<std::int64_t>(i) % block < 3 ? 2.0F : 0.0F;
    std::vector<double> scratch(sweep.scratch_bytes(1) / sizeof(double) + 1);
    const auto factors = kernels::factors(sweep, scratch.data());
    for (std::int64_t c = 0; c < 3; ++c)
      factors.shift[c] = factors.scale[c] = factors.centre[c] = 1;
    engine::Lane lane(1);
    kernels::normalise(lane, sweep, factors, x.data(), nullptr, y.data(), false);
    kernels::apply(lane, sweep, factors, x.data(), {{x.data()}, 1, kernels::Mask::none, nullptr},
                   dx.data(), scratch.data());
    for (std::size_t i = 0; i < count; ++i) {
      const bool channel = static_cast<std::int64_t>(i) % block < 3;
      CHECK(y[i] == (channel ? 3.0F : 0.0F));
      CHECK(dx[i] == (channel ? 1.0F : 0.0F));
    }
  }
}

TEST_CASE("batch_norm: gradients of several consumers are added on the way") {
  auto op = fused(Tail::relu);
  op.build = [](Graph& graph) {
    const ValueId y =
        engine::apply(graph, "bn", BatchNorm({}, Tail::relu), batch_norm_inputs(graph, kShape));
    const ValueId open = engine::apply(graph, "open", ops::Relu(), {y});
    const ValueId sum = engine::apply(graph, "sum", ops::Add(), {y, open});
    return engine::apply(graph, "sum2", ops::Add(), {sum, y});
  };
  CHECK(testing::worst(testing::fast_errors(op)) <= kFastTolerance);
  op.build = [](Graph& graph) {
    auto inputs = batch_norm_inputs(graph, kShape);
    inputs.push_back(graph.input("z", kShape, Role::activation));
    const ValueId y = engine::apply(graph, "bn", BatchNorm({}, Tail::add_relu), inputs);
    return engine::apply(graph, "sum", ops::Add(),
                         {engine::apply(graph, "open", ops::Relu(), {y}), y});
  };
  op.differentiate = {"x", "z"};
  CHECK(testing::worst(testing::fast_errors(op)) <= kFastTolerance);
}

TEST_CASE("batch_norm: two ranks with half a batch each do what one does with all of it") {
  // Both halves hold the same numbers, so that this process knows what the other rank has.
  struct Twin final : engine::Communicator {
    int rank() const override { return 0; }
    int size() const override { return 2; }
    void sum(std::span<double> numbers) override {
      for (double& number : numbers) number *= 2;
    }
  } twin;
  engine::Lanes lanes(2);
  const auto step = [&](std::int64_t halves, engine::Communicator& ranks) {
    const Shape shape{2 * halves, 5, 3, 3};
    Graph graph;
    graph.output("y", engine::apply(graph, "bn", BatchNorm({}, Tail::relu),
                                    batch_norm_inputs(graph, shape)));
    engine::CompileOptions options;
    options.cotangents = {"y"};
    options.differentiate = {"x"};
    options.communicator = &ranks;
    engine::Program program = engine::compile(graph, options, lanes);
    engine::ParameterStore store(std::make_shared<const engine::ParameterLayout>(graph),
                                 engine::DType::f32);
    const auto waves = [](std::int64_t count, double frequency) {
      std::vector<double> numbers(static_cast<std::size_t>(count));
      for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = std::sin(frequency * static_cast<double>(i % 90 + 1));
      return numbers;
    };
    program.set("x", waves(shape.count(), 1.3));
    program.set("d/bn", waves(shape.count(), 2.1));
    for (const engine::Slot& slot : store.layout().parameters())
      store.set(engine::Section::values, slot, waves(slot.count, 0.4));
    for (const engine::Slot& slot : store.layout().states())
      store.set(engine::Section::states, slot, std::vector<double>(5, 1.0));
    engine::Executor executor(lanes);
    executor.run(program, store, {});
    const auto& layout = store.layout();
    return std::tuple(program.get("y"), program.get("d/x"),
                      store.get(engine::Section::gradients, *layout.parameter("gamma")),
                      store.get(engine::Section::staged_states, *layout.state("running_var")));
  };
  auto [y, dx, dgamma, variance] = step(1, twin);
  auto [all_y, all_dx, all_dgamma, all_variance] = step(2, engine::alone());
  all_y.resize(y.size());
  all_dx.resize(dx.size());
  for (double& number : dgamma) number *= 2;  // local: the ranks' gradients are added later
  CHECK(difference(y, all_y) <= 1e-6);
  CHECK(difference(dx, all_dx) <= 1e-6);
  CHECK(difference(dgamma, all_dgamma) <= 1e-5);
  CHECK(difference(variance, all_variance) <= 1e-7);
}

TEST_CASE("batch_norm: bad shapes are refused by name") {
  CHECK_THROWS_WITH_AS(node_of({32, 8}, {8}, {32, 8}),
                       "[batch_norm_add_relu layer2.0.bn1] x must be (N,C,H,W), got (32,8)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      node_of({1, 8, 2, 2}, {9}, {1, 8, 2, 2}),
      "[batch_norm_add_relu layer2.0.bn1] gamma must be (8) for x (1,8,2,2), got (9)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      node_of({1, 8, 2, 2}, {8}, {1, 8, 2, 3}),
      "[batch_norm_add_relu layer2.0.bn1] z must be (1,8,2,2) as x is, got (1,8,2,3)",
      std::invalid_argument);
}

TEST_CASE("batch_norm: one sample per channel is refused in training, and fine in inference") {
  testing::OpCase op;
  op.build = [](Graph& graph) {
    return engine::apply(graph, "bn1", BatchNorm(), batch_norm_inputs(graph, {1, 8, 1, 1}));
  };
  CHECK_THROWS_WITH_AS(testing::run(op, Backend::fast),
                       "[batch_norm bn1] needs N·H·W ≥ 2 in training, because one sample has no "
                       "variance; got x (1,8,1,1)",
                       std::invalid_argument);
  CHECK_THROWS_AS(testing::run(op, Backend::reference), std::invalid_argument);
  op.mode = Mode::infer;
  CHECK(testing::worst(testing::fast_errors(op)) <= kFastTolerance);
}

TEST_CASE("batch_norm: every broken formula is noticed") {
  testing::check_mutants(
      fused(Tail::none),
      {"batch_norm.reference.mean", "batch_norm.reference.variance", "batch_norm.reference.y",
       "batch_norm.reference.dgamma", "batch_norm.reference.dbeta", "batch_norm.reference.dx_mean",
       "batch_norm.reference.dx_variance"},
      {"batch_norm.fast.mean", "batch_norm.fast.variance", "batch_norm.fast.y",
       "batch_norm.fast.dgamma", "batch_norm.fast.dbeta", "batch_norm.fast.dx_mean",
       "batch_norm.fast.dx_variance", "batch_norm.fast.running_mean",
       "batch_norm.fast.running_var"},
      1e-4);
  testing::check_mutants(fused(Tail::relu),
                         {"batch_norm_relu.reference.y", "batch_norm_relu.reference.mask"},
                         {"batch_norm_relu.fast.y", "batch_norm_relu.fast.mask"}, 1e-4);
  testing::check_mutants(fused(Tail::add_relu),
                         {"batch_norm_add_relu.reference.y", "batch_norm_add_relu.reference.dz"},
                         {"batch_norm_add_relu.fast.y", "batch_norm_add_relu.fast.mask"}, 1e-4);
  testing::check_mutants(fused(Tail::none, Mode::infer), {}, {"batch_norm.fast.running_rstd"},
                         1e-4);
  // No gradient depends on the running statistics; they are compared with the numbers by hand.
  for (const auto& [mutant, name, right] :
       {std::tuple{"batch_norm.reference.running_mean", "running_mean", 9.3},
        std::tuple{"batch_norm.reference.running_var", "running_var", 18 + 1.4 / 3}}) {
    engine::active_mutation = mutant;
    CHECK(std::abs(testing::run(four_samples(), Backend::reference).at(name)[0] - right) > 0.05);
  }
  engine::active_mutation.clear();
}
