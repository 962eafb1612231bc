#include "optim/weight_average.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "engine/graph.hpp"

namespace {
using namespace autodidact;
using engine::DType, engine::Section;

engine::ParameterStore store_of(DType master) {
  engine::Graph graph;
  graph.parameter("conv1.weight", {3, optim::kChunkElements, 1, 1});
  graph.parameter("fc4.bias", {5});
  graph.state("bn1.running_mean", {7});
  return {std::make_shared<const engine::ParameterLayout>(graph), master};
}

template <class Call>
void for_each_slot(const engine::ParameterStore& store, const Call& call) {
  for (const auto& slot : store.layout().parameters()) call(Section::values, slot);
  for (const auto& slot : store.layout().states()) call(Section::states, slot);
}

void fill(engine::ParameterStore& store, double start) {
  for_each_slot(store, [&](Section section, const engine::Slot& slot) {
    std::vector<double> numbers(static_cast<std::size_t>(slot.count));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(start + static_cast<double>(i));
    store.set(section, slot, numbers);
  });
}
}  // namespace

TEST_CASE("weight_average: parameters and statistics follow the rule, whose memory grows at the start") {
  for (const auto& [master, tolerance] : {std::pair{DType::f64, 1e-15}, std::pair{DType::f32, 2e-7}})  // numbers near 1, roundings of 6e-8
    for (const double decay : {0.0, 0.3, 0.999}) {
      CAPTURE(decay);
      engine::ParameterStore store = store_of(master);
      fill(store, 0.25);
      optim::WeightAverage average(store, decay);
      engine::Lanes lanes(2);
      for (int t = 0; t < 5; ++t) {
        fill(store, t);
        const auto version = average.store().version();
        lanes.run_wide([&](engine::Lane& lane) { average.update(lane, store, t); });
        CHECK(average.store().version() != version);
      }
      for_each_slot(store, [&](Section section, const engine::Slot& slot) {
        const auto found = average.store().get(section, slot);
        double worst = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
          double a = std::sin(0.25 + static_cast<double>(i));
          for (int t = 0; t < 5; ++t) {
            const double d = std::min(decay, (1.0 + t) / (10.0 + t));
            a = d * a + (1 - d) * std::sin(t + static_cast<double>(i));
          }
          worst = std::max(worst, std::abs(found[i] - a));
        }
        CAPTURE(slot.name);
        CHECK(worst <= tolerance);
      });
    }
}

TEST_CASE("weight_average: what does not change is its own average, to the bit") {
  engine::ParameterStore store = store_of(DType::f32);
  fill(store, 0.25);
  optim::WeightAverage average(store, 0.9);
  engine::Lane lane(1);
  for (int t = 0; t < 20; ++t) average.update(lane, store, t);
  for_each_slot(store, [&](Section section, const engine::Slot& slot) { CHECK(average.store().get(section, slot) == store.get(section, slot)); });
}

TEST_CASE("weight_average: a decay that cannot be is refused") {
  const engine::ParameterStore store = store_of(DType::f32);
  for (const double decay : {-0.1, 1.0, std::nan("")}) CHECK_THROWS_AS(optim::WeightAverage(store, decay), std::invalid_argument);
}
