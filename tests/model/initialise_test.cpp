#include "model/initialise.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "model/network.hpp"

namespace {
using namespace autodidact;
using engine::DType, engine::ParameterStore, engine::Section;
using model::NetworkOptions;

NetworkOptions small(const char* model = "resnet18") {
  NetworkOptions options;
  options.model = model;
  options.width = 16;
  options.classes = 10;
  return options;
}

ParameterStore store_of(const NetworkOptions& options, DType master = DType::f32) {
  engine::Graph graph;
  model::build_network(graph, options, 2);
  return {std::make_shared<const engine::ParameterLayout>(graph), master};
}

std::vector<double> parameter(const ParameterStore& store, std::string_view name) {
  CAPTURE(name);
  REQUIRE(store.layout().parameter(name) != nullptr);
  return store.get(Section::values, *store.layout().parameter(name));
}

bool all(const std::vector<double>& numbers, double value) {
  return std::all_of(numbers.begin(), numbers.end(), [&](double n) { return n == value; });
}

double mean_of(const std::vector<double>& numbers, int power) {
  double sum = 0;
  for (const double number : numbers) sum += std::pow(number, power);
  return sum / static_cast<double>(numbers.size());
}
}  // namespace

TEST_CASE("initialise: convolutions are normal with variance 2 / fan_out, not divided by groups") {
  auto store = store_of(small("resnext50_32x4d"));
  model::initialise(store, 7);
  const std::pair<const char*, double> fan_outs[] = {
      {"layer4.1.conv2.weight", 256.0 * 9},      // 32 groups
      {"layer4.0.downsample.0.weight", 512.0},   // 1×1
      {"attention3.0.op.0.weight", 256.0 * 9}};  // depthwise
  for (const auto& [name, fan_out] : fan_outs) {
    CAPTURE(name);
    const auto w = parameter(store, name);
    const double variance = 2 / fan_out, count = static_cast<double>(w.size());
    // Five standard deviations of a sample's mean, variance and fourth moment (which tells normal from uniform).
    CHECK(std::abs(mean_of(w, 1)) <= 5 * std::sqrt(variance / count));
    CHECK(mean_of(w, 2) / variance == doctest::Approx(1).epsilon(5 * std::sqrt(2 / count)));
    CHECK(mean_of(w, 4) / (3 * variance * variance) ==
          doctest::Approx(1).epsilon(5 * std::sqrt(96.0 / 9 / count)));
  }
}

TEST_CASE("initialise: linear layers are uniform within 1 / sqrt(fan_in), weight and bias") {
  auto store = store_of(small());
  model::initialise(store, 7);
  const double bound = 1 / std::sqrt(128.0);
  for (const char* name :
       {"fc4.weight", "adaptation_layers.2.bias", "adaptation_layers.1.weight"}) {
    CAPTURE(name);
    const auto w = parameter(store, name);
    const double largest = *std::max_element(w.begin(), w.end());
    const double smallest = *std::min_element(w.begin(), w.end());
    CHECK(largest <= bound);
    CHECK(smallest >= -bound);
    CHECK(largest > 0.8 * bound);
    CHECK(smallest < -0.8 * bound);
  }
  const auto w = parameter(store, "adaptation_layers.1.weight");
  CHECK(mean_of(w, 2) == doctest::Approx(bound * bound / 3).epsilon(0.05));
}

TEST_CASE("initialise: batch norms start as 1 and 0, with running mean 0 and variance 1") {
  auto store = store_of(small());
  model::initialise(store, 7);
  CHECK(all(parameter(store, "layer3.1.bn2.weight"), 1));
  CHECK(all(parameter(store, "layer3.1.bn2.bias"), 0));
  CHECK(all(parameter(store, "attention1.1.weight"), 1));
  for (const Section section : {Section::states, Section::staged_states}) {
    CHECK(all(store.get(section, *store.layout().state("bn1.running_mean")), 0));
    CHECK(all(store.get(section, *store.layout().state("bn1.running_var")), 1));
  }
}

TEST_CASE("initialise: zero_init_residual silences the last batch norm of each block, no other") {
  for (const char* model : {"resnet18", "resnet50"}) {
    auto store = store_of(small(model));
    model::initialise(store, 7, {.zero_init_residual = true});
    const bool basic = std::string_view(model) == "resnet18";
    CHECK(all(parameter(store, "layer2.1.bn2.weight"), basic ? 0 : 1));
    if (!basic) CHECK(all(parameter(store, "layer2.1.bn3.weight"), 0));
    CHECK(all(parameter(store, "layer2.1.bn1.weight"), 1));
    CHECK(all(parameter(store, "layer2.0.downsample.1.weight"), 1));
  }
}

TEST_CASE("initialise: numbers depend on seed and name alone") {
  auto store = store_of(small()), wide = store_of(small(), DType::f64), other = store_of(small());
  NetworkOptions plain = small();
  plain.branches = false;
  plain.adaptation = {};
  auto trunk = store_of(plain);
  for (auto* s : {&store, &wide, &trunk}) model::initialise(*s, 7);
  model::initialise(other, 8);
  for (const char* name : {"conv1.weight", "layer4.1.conv2.weight", "fc4.weight", "fc4.bias"}) {
    CAPTURE(name);
    CHECK(parameter(store, name) == parameter(wide, name));
    CHECK(parameter(store, name) == parameter(trunk, name));
    CHECK(parameter(store, name) != parameter(other, name));
  }
  CHECK(parameter(store, "layer1.0.conv1.weight") != parameter(store, "layer1.0.conv2.weight"));
}
