// tests/optim/parameters.hpp: a small set of parameters of every kind, and steps of an update rule on it beside a plain f64 reference.
#pragma once
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "optim/parameter_chunks.hpp"
#include "optim/update_rule.hpp"

namespace autodidact::optim::testing {

// A convolution's weight of more than one chunk, a batch norm, a linear layer, and a weight that gets no gradient.
inline std::shared_ptr<const engine::ParameterLayout> layout() {
  engine::Graph graph;
  graph.parameter("conv1.weight", {5, kChunkElements / 3, 1, 1});
  graph.parameter("bn1.weight", {5});
  graph.parameter("bn1.bias", {5});
  graph.parameter("fc4.weight", {3, 5});
  graph.parameter("fc4.bias", {3});
  graph.parameter("adaptation_layers.0.weight", {2, 2});
  return std::make_shared<const engine::ParameterLayout>(graph);
}
inline const std::vector<std::string> kNames{"conv1.weight", "bn1.weight", "bn1.bias", "fc4.weight", "fc4.bias"};

inline void fill(engine::ParameterStore& store, engine::Section section, double start) {
  for (const auto& slot : store.layout().parameters()) {
    std::vector<double> numbers(static_cast<std::size_t>(slot.count));
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = std::sin(start + static_cast<double>(i + slot.name.size()));
    store.set(section, slot, numbers);
  }
}

// Four steps, with two learning rates, four gradients and, from the third on, a gradient scale below 1. `reference(tensor, w, g, step)`
// updates w, the numbers of the tensor-th parameter, where g is already scaled. Returns the largest difference.
template <class Reference>
double difference(engine::DType master, UpdateRule& rule, Reference reference, int threads = 2) {
  using engine::Section;
  engine::ParameterStore store(layout(), master);
  rule.prepare(store);
  fill(store, Section::values, 0.5);
  const auto& slots = store.layout().parameters();
  std::vector<std::vector<double>> expected;
  for (const auto& slot : slots) expected.push_back(store.get(Section::values, slot));
  engine::Lanes lanes(threads);
  for (int i = 0; i < 4; ++i) {
    const UpdateStep step{.learning_rate = i < 2 ? 0.1 : 0.01, .gradient_scale = i < 2 ? 1 : 0.25, .step = i + 1};
    fill(store, Section::gradients, i);
    for (std::size_t s = 0; s < slots.size(); ++s) {
      if (slots[s].name.starts_with("adaptation")) continue;
      auto gradient = store.get(Section::gradients, slots[s]);
      for (double& g : gradient) g *= step.gradient_scale;
      reference(s, slots[s], expected[s], gradient, step);
    }
    lanes.run_wide([&](engine::Lane& lane) { rule.step(lane, store, step); });
  }
  double worst = 0;
  for (std::size_t s = 0; s < slots.size(); ++s) {
    const auto values = store.get(Section::values, slots[s]);
    for (std::size_t i = 0; i < values.size(); ++i) worst = std::max(worst, std::abs(values[i] - expected[s][i]));
  }
  return worst;
}

// Whether every section of a store that the rule has stepped on is, for the parameter without a gradient, what it was.
inline bool leaves_alone(UpdateRule& rule) {
  using engine::Section;
  engine::ParameterStore store(layout(), engine::DType::f32);
  rule.prepare(store);
  const Section all[] = {Section::values, Section::gradients, Section::momentum, Section::second_moments};
  const auto numbers = [&](const char* name) {
    std::vector<std::vector<double>> sections;
    for (const Section section : all)
      if (store.has(section)) sections.push_back(store.get(section, *store.layout().parameter(name)));
    return sections;
  };
  for (const Section section : all)
    if (store.has(section)) fill(store, section, 1.5);
  if (store.has(Section::second_moments))
    for (const auto& slot : store.layout().parameters())
      store.set(Section::second_moments, slot, std::vector<double>(static_cast<std::size_t>(slot.count), 0.5));
  const auto before = numbers("adaptation_layers.0.weight"), other = numbers("fc4.weight");
  engine::Lane lane(1);
  rule.step(lane, store, {.learning_rate = 0.1});
  return numbers("adaptation_layers.0.weight") == before && numbers("fc4.weight") != other;
}

inline bool of_bn1(const engine::Slot& slot) { return slot.name.starts_with("bn1."); }
}  // namespace autodidact::optim::testing
