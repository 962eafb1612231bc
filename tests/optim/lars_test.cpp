#include "optim/lars.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <stdexcept>

#include "tests/optim/parameters.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::optim::testing;
using engine::DType, engine::Section;

double norm(const std::vector<double>& numbers) {
  return std::sqrt(std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
}

// Algorithm 1 of the paper, a tensor at a time.
double error_of(DType master, const optim::LarsOptions& options, int threads = 2) {
  optim::Lars lars(options, *layout(), kNames);
  std::vector<std::vector<double>> momentum(layout()->parameters().size());
  return difference(
      master, lars,
      [&](std::size_t tensor, const engine::Slot& slot, std::vector<double>& w, const std::vector<double>& g, const optim::UpdateStep& step) {
        const double decay = !options.decay_batch_norm && of_bn1(slot) ? 0 : options.weight_decay;
        const double own = slot.shape.rank() == 1 ? 1 : options.trust_coefficient * norm(w) / (norm(g) + decay * norm(w));
        auto& v = momentum[tensor];
        v.resize(w.size(), 0.0);
        for (std::size_t i = 0; i < w.size(); ++i) {
          v[i] = options.momentum * v[i] + step.learning_rate * own * (g[i] + decay * w[i]);
          w[i] -= v[i];
        }
      },
      threads);
}
}  // namespace

TEST_CASE("lars: four steps are those of the paper's algorithm, with every option and a scale of the gradients") {
  for (const double momentum : {0.0, 0.9})
    for (const double decay : {0.0, 5e-2})
      for (const bool decay_batch_norm : {true, false}) {
        CAPTURE(momentum);
        CAPTURE(decay);
        CAPTURE(decay_batch_norm);
        const optim::LarsOptions options{momentum, decay, 0.1, decay_batch_norm};
        CHECK(error_of(DType::f64, options) <= 1e-14);  // the norm of 14,000 numbers, summed in another order
        CHECK(error_of(DType::f32, options) <= 5e-7);   // numbers near 1, some roundings of 6e-8
      }
}

TEST_CASE("lars: one thread and several give the same bits") {
  CHECK(error_of(DType::f32, {}, 1) == error_of(DType::f32, {}, 0));
}

TEST_CASE("lars: the first step is as long as rate and trust say, whatever the scale of the gradient") {
  for (const double scale : {1e-6, 1.0, 1e6}) {
    engine::ParameterStore store(layout(), DType::f64);
    fill(store, Section::values, 0.5);
    fill(store, Section::gradients, 0.7);
    const auto& slot = *store.layout().parameter("conv1.weight");
    const auto before = store.get(Section::values, slot);
    engine::Lane lane(1);
    optim::Lars({.weight_decay = 0, .trust_coefficient = 0.01}, store.layout(), kNames)
        .step(lane, store, {.learning_rate = 0.5, .gradient_scale = scale});
    auto moved = store.get(Section::values, slot);
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] -= before[i];
    CHECK(norm(moved) == doctest::Approx(0.5 * 0.01 * norm(before)));
  }
}

TEST_CASE("lars: tensors of nothing but zeros still learn, and a gradient of zeros moves nothing") {
  engine::ParameterStore store(layout(), DType::f64);
  fill(store, Section::gradients, 0.7);
  const auto& slot = *store.layout().parameter("fc4.weight");
  engine::Lane lane(1);
  optim::Lars lars({.weight_decay = 0}, store.layout(), kNames);
  lars.step(lane, store, {.learning_rate = 0.5});
  const auto gradient = store.get(Section::gradients, slot), values = store.get(Section::values, slot);
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == -0.5 * gradient[i]);

  engine::ParameterStore still(layout(), DType::f64);
  fill(still, Section::values, 0.5);
  const auto before = still.get(Section::values, slot);
  lars.step(lane, still, {.learning_rate = 0.5});
  CHECK(still.get(Section::values, slot) == before);
}

TEST_CASE("lars: a parameter without a gradient is not touched; impossible options are refused") {
  optim::Lars lars({}, *layout(), kNames);
  CHECK(leaves_alone(lars));
  CHECK_THROWS_WITH_AS(optim::Lars({.trust_coefficient = 0}, *layout(), kNames), "the trust coefficient must be above 0, got 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(optim::Lars({.momentum = -1}, *layout(), kNames), "momentum must be a finite number that is not negative, got -1",
                       std::invalid_argument);
}
