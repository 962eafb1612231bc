#include "optim/gradient_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

#include "engine/graph.hpp"

namespace {
using namespace autodidact;
using engine::DType, engine::Section;

const std::vector<std::string> kNames{"conv1.weight", "fc4.bias"};

std::shared_ptr<const engine::ParameterLayout> layout() {
  engine::Graph graph;
  graph.parameter("conv1.weight", {7, optim::kChunkElements / 2, 1, 1});
  graph.parameter("unused.weight", {3, 3});
  graph.parameter("fc4.bias", {10});
  return std::make_shared<const engine::ParameterLayout>(graph);
}

// Gradients −2, −1, 0, 1, 2, −2, …; those of the unused parameter are NaN. Returns Σ g² of the others.
double fill(engine::ParameterStore& store) {
  double squares = 0;
  for (const auto& slot : store.layout().parameters()) {
    std::vector<double> numbers(static_cast<std::size_t>(slot.count));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i % 5) - 2;
    if (slot.name == "unused.weight")
      numbers.assign(numbers.size(), std::numeric_limits<double>::quiet_NaN());
    else
      for (const double g : numbers) squares += g * g;
    store.set(Section::gradients, slot, numbers);
  }
  return squares;
}
}  // namespace

TEST_CASE(
    "gradient_norm: it is the root of the sum of all squares, over the named parameters alone") {
  for (const DType master : {DType::f32, DType::f64}) {
    engine::ParameterStore store(layout(), master);
    const double squares = fill(store);
    engine::Lane lane(1);
    CHECK(optim::GradientNorm(store.layout(), kNames)(lane, store) == std::sqrt(squares));
  }
}

TEST_CASE("gradient_norm: one thread and several give the same bits") {
  engine::ParameterStore store(layout(), DType::f32);
  const auto& slot = *store.layout().parameter("conv1.weight");
  std::vector<double> numbers(static_cast<std::size_t>(slot.count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<double>(i));
  store.set(Section::gradients, slot, numbers);
  optim::GradientNorm norm(store.layout(), kNames);
  engine::Lane alone(1);
  engine::Lanes lanes;
  double several = 0;
  lanes.run_wide([&](engine::Lane& lane) { several = norm(lane, store); });
  CHECK(several == norm(alone, store));
}

TEST_CASE("gradient_norm: one gradient that is not finite makes the norm not finite") {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    engine::ParameterStore store(layout(), DType::f32);
    fill(store);
    const auto& slot = *store.layout().parameter("fc4.bias");
    store.view<float>(Section::gradients, slot)[9] = static_cast<float>(bad);
    engine::Lane lane(1);
    CHECK_FALSE(std::isfinite(optim::GradientNorm(store.layout(), kNames)(lane, store)));
  }
}

TEST_CASE("gradient_norm: an unknown name is refused") {
  const auto parameters = layout();
  const std::vector<std::string> names{"fc5.bias"};
  CHECK_THROWS_WITH_AS(optim::GradientNorm(*parameters, names),
                       "the model has no parameter fc5.bias", std::invalid_argument);
}
