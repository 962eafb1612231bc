#include "optim/sgd.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

#include "engine/graph.hpp"

namespace {
using namespace autodidact;
using engine::DType, engine::Section;

// A convolution's weight of more than one chunk, a batch norm, a linear layer's bias, and a weight that gets no gradient.
std::shared_ptr<const engine::ParameterLayout> layout() {
  engine::Graph graph;
  graph.parameter("conv1.weight", {5, optim::kChunkElements / 3, 1, 1});
  graph.parameter("bn1.weight", {5});
  graph.parameter("bn1.bias", {5});
  graph.parameter("fc4.weight", {3, 5});
  graph.parameter("fc4.bias", {3});
  graph.parameter("adaptation_layers.0.weight", {2, 2});
  return std::make_shared<const engine::ParameterLayout>(graph);
}
const std::vector<std::string> kNames{"conv1.weight", "bn1.weight", "bn1.bias", "fc4.weight", "fc4.bias"};

void fill(engine::ParameterStore& store, Section section, double start) {
  for (const auto& slot : store.layout().parameters()) {
    std::vector<double> numbers(static_cast<std::size_t>(slot.count));
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = std::sin(start + static_cast<double>(i + slot.name.size()));
    store.set(section, slot, numbers);
  }
}

// The rule of torch.optim.SGD, one number at a time, with a buffer that starts as the first gradient.
struct OneNumber {
  double w, buffer = 0;
  bool first = true;
  void step(double g, double rate, const optim::SgdOptions& o) {
    if (o.weight_decay != 0) g += o.weight_decay * w;
    if (o.momentum != 0) {
      buffer = first ? g : o.momentum * buffer + g;
      first = false;
      g = o.nesterov ? g + o.momentum * buffer : buffer;
    }
    w -= rate * g;
  }
};

// Three steps, with two learning rates and three gradients; the largest difference to OneNumber.
double difference(DType master, const optim::SgdOptions& options, int threads) {
  engine::ParameterStore store(layout(), master);
  fill(store, Section::values, 0.5);
  const auto& slots = store.layout().parameters();
  std::vector<std::vector<OneNumber>> expected;
  for (const auto& slot : slots) {
    expected.emplace_back();
    for (const double w : store.get(Section::values, slot)) expected.back().push_back({w});
  }
  engine::Lanes lanes(threads);
  const optim::Sgd sgd(options, store.layout(), kNames);
  for (int step = 0; step < 3; ++step) {
    const double rate = step < 2 ? 0.1 : 0.01;
    fill(store, Section::gradients, step);
    for (std::size_t s = 0; s < slots.size(); ++s) {
      if (slots[s].name.starts_with("adaptation")) continue;
      auto rule = options;
      if (!options.decay_batch_norm && slots[s].name.starts_with("bn1.")) rule.weight_decay = 0;
      const auto gradients = store.get(Section::gradients, slots[s]);
      for (std::size_t i = 0; i < gradients.size(); ++i)
        expected[s][i].step(gradients[i], rate, rule);
    }
    lanes.run_wide([&](engine::Lane& lane) { sgd.step(lane, store, rate); });
  }
  double worst = 0;
  for (std::size_t s = 0; s < slots.size(); ++s) {
    const auto values = store.get(Section::values, slots[s]);
    for (std::size_t i = 0; i < values.size(); ++i)
      worst = std::max(worst, std::abs(values[i] - expected[s][i].w));
  }
  return worst;
}
}  // namespace

TEST_CASE("sgd: three steps are those of PyTorch's rule, with every option") {
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
          CHECK(difference(DType::f64, options, 2) <= 1e-15);
          CHECK(difference(DType::f32, options, 2) <=
                5e-7);  // numbers near 1, some roundings of 6e-8
        }
}

TEST_CASE("sgd: one thread and several give the same bits") {
  const optim::SgdOptions options{0.9, 5e-4, true, true};
  CHECK(difference(DType::f32, options, 1) == difference(DType::f32, options, 0));
}

TEST_CASE("sgd: a parameter without a gradient is not touched, in value or momentum") {
  engine::ParameterStore store(layout(), DType::f32);
  for (const Section section : {Section::values, Section::gradients, Section::momentum})
    fill(store, section, 1.5);
  const auto& untouched = *store.layout().parameter("adaptation_layers.0.weight");
  const auto& touched = *store.layout().parameter("bn1.weight");
  const auto value = store.get(Section::values, untouched);
  const auto momentum = store.get(Section::momentum, untouched);
  const auto before = store.get(Section::values, touched);
  engine::Lane lane(1);
  optim::Sgd({}, store.layout(), kNames).step(lane, store, 0.1);
  CHECK(store.get(Section::values, untouched) == value);
  CHECK(store.get(Section::momentum, untouched) == momentum);
  CHECK(store.get(Section::values, touched) != before);
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
