#include "optim/adamw.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/optim/parameters.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::optim::testing;
using engine::DType;

// The lines of torch.optim.AdamW, one number at a time.
double error_of(DType master, const optim::AdamwOptions& options, int threads = 2) {
  struct Moments {
    double first = 0, second = 0;
  };
  optim::Adamw adamw(options, *layout(), kNames);
  std::vector<std::vector<Moments>> moments(layout()->parameters().size());
  return difference(
      master, adamw,
      [&](std::size_t tensor, const engine::Slot& slot, std::vector<double>& w, const std::vector<double>& g, const optim::UpdateStep& step) {
        const double decay = !options.decay_batch_norm && of_bn1(slot) ? 0 : options.weight_decay;
        const double rate = step.learning_rate, t = static_cast<double>(step.step);
        moments[tensor].resize(w.size());
        for (std::size_t i = 0; i < w.size(); ++i) {
          Moments& m = moments[tensor][i];
          w[i] *= 1 - rate * decay;
          m.first = options.beta1 * m.first + (1 - options.beta1) * g[i];
          m.second = options.beta2 * m.second + (1 - options.beta2) * g[i] * g[i];
          const double first = m.first / (1 - std::pow(options.beta1, t)), second = m.second / (1 - std::pow(options.beta2, t));
          w[i] -= rate * first / (std::sqrt(second) + options.epsilon);
        }
      },
      threads);
}
}  // namespace

TEST_CASE("adamw: four steps are those of PyTorch's rule, with every option and a scale of the gradients") {
  for (const double beta1 : {0.0, 0.9})
    for (const double beta2 : {0.5, 0.999})  // a shorter memory divides by single gradients, however near to 0
      for (const double epsilon : {1e-8, 1e-2})
        for (const double decay : {0.0, 0.5})
          for (const bool decay_batch_norm : {true, false}) {
            CAPTURE(beta1);
            CAPTURE(beta2);
            CAPTURE(epsilon);
            CAPTURE(decay);
            CAPTURE(decay_batch_norm);
            const optim::AdamwOptions options{beta1, beta2, epsilon, decay, decay_batch_norm};
            CHECK(error_of(DType::f64, options) <= 1e-13);
            CHECK(error_of(DType::f32, options) <= 1e-6);  // numbers near 1, some roundings of 6e-8
          }
}

TEST_CASE("adamw: one thread and several give the same bits") {
  CHECK(error_of(DType::f32, {}, 1) == error_of(DType::f32, {}, 0));
}

TEST_CASE("adamw: a parameter without a gradient is not touched; impossible options are refused") {
  optim::Adamw adamw({}, *layout(), kNames);
  CHECK(leaves_alone(adamw));
  const auto make = [&](const optim::AdamwOptions& options) { return optim::Adamw(options, *layout(), kNames); };
  CHECK_THROWS_WITH_AS(make({.beta1 = 1}), "beta1 must be at least 0 and below 1, got 1", std::invalid_argument);
  CHECK_THROWS_WITH_AS(make({.beta2 = -0.1}), "beta2 must be at least 0 and below 1, got -0.1", std::invalid_argument);
  CHECK_THROWS_AS(make({.epsilon = 0}), std::invalid_argument);
  CHECK_THROWS_AS(make({.weight_decay = -1}), std::invalid_argument);
}
