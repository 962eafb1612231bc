#include "engine/parameter_store.hpp"

#include <doctest/doctest.h>

#include "engine/graph.hpp"

using namespace autodidact::engine;

namespace {

std::shared_ptr<const ParameterLayout> small_layout() {
  Graph graph;
  graph.parameter("first", {3});
  graph.state("mean", {2});
  graph.parameter("second", {2, 5});
  return std::make_shared<const ParameterLayout>(graph);
}
}  // namespace

TEST_CASE("a layout holds parameters in reverse order of declaration, each on a cache line") {
  const auto layout = small_layout();
  REQUIRE(layout->parameters().size() == 2);
  CHECK(layout->parameters()[0].name == "second");
  CHECK(layout->parameters()[1].name == "first");
  CHECK(layout->parameter_count() == 13);
  for (const Slot& slot : layout->parameters()) CHECK(slot.offset * 4 % 64 == 0);
  CHECK(layout->parameter("second")->count == 10);
  CHECK(layout->state("mean")->count == 2);
  CHECK(layout->parameter("mean") == nullptr);
}

TEST_CASE("numbers survive a store in both master types") {
  for (const DType master : {DType::f32, DType::f64}) {
    ParameterStore store(small_layout(), master);
    const Slot& slot = *store.layout().parameter("first");
    store.set(Section::values, slot, std::vector<double>{1.5, -2, 0.25});
    CHECK(store.get(Section::values, slot) == std::vector<double>{1.5, -2, 0.25});
    CHECK(store.get(Section::gradients, slot) == std::vector<double>{0, 0, 0});
  }
}

TEST_CASE("staged statistics become the statistics on commit and vanish on discard") {
  ParameterStore store(small_layout(), DType::f32);
  const Slot& mean = *store.layout().state("mean");
  store.set(Section::states, mean, std::vector<double>{1, 2});
  store.stage();
  store.view<float>(Section::staged_states, mean)[0] = 7;
  SUBCASE("discard") {
    store.discard();
    CHECK(store.get(Section::states, mean) == std::vector<double>{1, 2});
    CHECK(store.get(Section::staged_states, mean) == std::vector<double>{1, 2});
  }
  SUBCASE("commit") {
    const std::uint64_t before = store.version();
    store.commit();
    CHECK(store.get(Section::states, mean) == std::vector<double>{7, 2});
    CHECK(store.version() != before);
  }
}

TEST_CASE("no two versions are equal, not even of two stores") {
  ParameterStore a(small_layout(), DType::f32), b(small_layout(), DType::f32);
  CHECK(a.version() != b.version());
  const std::uint64_t before = b.version();
  a.touched();
  b.touched();
  CHECK(a.version() != b.version());
  CHECK(b.version() != before);
}
