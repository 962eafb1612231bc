#include "optim/sgd.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>

#include "tests/optim/parameters.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::optim::testing;
using engine::DType;

// The rule of torch.optim.SGD, one number at a time, with a buffer that starts as the first gradient.
struct OneNumber {
  double buffer = 0;
  bool first = true;
  void step(double& w, double g, double rate, const optim::SgdOptions& o) {
    if (o.weight_decay != 0) g += o.weight_decay * w;
    if (o.momentum != 0) {
      buffer = first ? g : o.momentum * buffer + g;
      first = false;
      g = o.nesterov ? g + o.momentum * buffer : buffer;
    }
    w -= rate * g;
  }
};

double error_of(DType master, const optim::SgdOptions& options, int threads = 2) {
  optim::Sgd sgd(options, *layout(), kNames);
  std::vector<std::vector<OneNumber>> numbers(layout()->parameters().size());
  return difference(
      master, sgd,
      [&](std::size_t tensor, const engine::Slot& slot, std::vector<double>& w, const std::vector<double>& g, const optim::UpdateStep& step) {
        auto rule = options;
        if (!options.decay_batch_norm && of_bn1(slot)) rule.weight_decay = 0;
        numbers[tensor].resize(w.size());
        for (std::size_t i = 0; i < w.size(); ++i) numbers[tensor][i].step(w[i], g[i], step.learning_rate, rule);
      },
      threads);
}
}  // namespace

TEST_CASE("sgd: four steps are those of PyTorch's rule, with every option and a scale of the gradients") {
  for (const double momentum : {0.0, 0.9})
    for (const double decay : {0.0, 5e-2})
      for (const bool nesterov : {false, true})
        for (const bool decay_batch_norm : {true, false}) {
          if (nesterov && momentum == 0) continue;
          const optim::SgdOptions options{momentum, decay, nesterov, decay_batch_norm};
          CAPTURE(momentum);
          CAPTURE(decay);
          CAPTURE(nesterov);
          CAPTURE(decay_batch_norm);
          CHECK(error_of(DType::f64, options) <= 1e-15);
          CHECK(error_of(DType::f32, options) <= 5e-7);  // numbers near 1, some roundings of 6e-8
        }
}

TEST_CASE("sgd: one thread and several give the same bits") {
  const optim::SgdOptions options{0.9, 5e-4, true, true};
  CHECK(error_of(DType::f32, options, 1) == error_of(DType::f32, options, 0));
}

TEST_CASE("sgd: a parameter without a gradient is not touched, in value or momentum") {
  optim::Sgd sgd({}, *layout(), kNames);
  CHECK(leaves_alone(sgd));
}

TEST_CASE("sgd: impossible options are refused in one sentence") {
  const auto parameters = layout();
  const auto make = [&](const optim::SgdOptions& options, const std::vector<std::string>& names) {
    return optim::Sgd(options, *parameters, names);
  };
  CHECK_THROWS_WITH_AS(make({.momentum = -1}, kNames),
                       "momentum must be a finite number that is not negative, got -1",
                       std::invalid_argument);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(make({.weight_decay = nan}, kNames),
                       "weight decay must be a finite number that is not negative, got nan",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(make({.momentum = 0, .nesterov = true}, kNames),
                       "Nesterov's form needs a momentum above 0, got 0", std::invalid_argument);
  CHECK_THROWS_WITH_AS(make({}, {"conv9.weight"}), "the model has no parameter conv9.weight",
                       std::invalid_argument);
}
