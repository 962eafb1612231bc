// Recomputation must save memory and change no bit, whatever it drops.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/random.hpp"
#include "train/trainer.hpp"

namespace {
using namespace autodidact;
using engine::Recompute;

struct Outcome {
  std::vector<std::byte> values, states;
  std::size_t arena = 0, recomputed = 0, beside = 0;
  bool operator==(const Outcome& other) const { return values == other.values && states == other.states; }
};

// Three steps of a network on the same batch. `prefer`: as engine::CompileOptions.
Outcome trained(const char* model, Recompute recompute, engine::Lanes& lanes, const std::vector<std::string>& prefer = {}) {
  constexpr std::int64_t kBatch = 32;
  train::TrainerOptions options;
  options.network = {.model = model, .classes = 10, .width = 16};
  options.programs.choose = engine::Choose::fixed;
  options.programs.recompute = recompute;
  options.programs.prefer = prefer;
  train::Trainer trainer(options, lanes);
  engine::Random random(5, engine::Purpose::probe);
  std::vector<float> images(static_cast<std::size_t>(kBatch * 3 * 32 * 32));
  for (float& pixel : images) pixel = static_cast<float>(random.normal());
  const std::vector<std::int32_t> labels(kBatch, 3);
  for (int step = 0; step < 3; ++step) trainer.step({.images = images, .labels = labels, .count = kBatch}, 0.01);

  Outcome outcome;
  const auto copy = [&](engine::Section section, std::int64_t elements) {
    const std::byte* data = trainer.store().data(section);
    return std::vector<std::byte>(data, data + static_cast<std::size_t>(elements) * sizeof(float));
  };
  outcome.values = copy(engine::Section::values, trainer.store().layout().parameter_elements());
  outcome.states = copy(engine::Section::states, trainer.store().layout().state_elements());
  const engine::Program& program = trainer.programs().training(kBatch);
  outcome.arena = program.memory().arena;
  std::set<std::string> narrow;
  for (const engine::Task& task : program.tasks()) {
    outcome.recomputed += task.pass == engine::Pass::recompute;
    outcome.beside += task.branch == engine::Task::kBeside;
    if (task.branch == engine::Task::kBeside && task.pass == engine::Pass::forward) narrow.insert(task.node);
  }
  // What was made by the few threads of a narrow lane is not made again by the many of the wide one.
  for (const engine::Task& task : program.tasks()) CHECK_FALSE((task.pass == engine::Pass::recompute && narrow.contains(task.node)));
  return outcome;
}
}  // namespace

TEST_CASE("recompute: less memory, the same bits") {
  engine::Lanes lanes, single(1);
  for (const char* model : {"resnet18", "resnet50"}) {
    CAPTURE(model);
    const Outcome none = trained(model, Recompute::none, lanes), automatic = trained(model, Recompute::automatic, lanes);
    CHECK(none.recomputed == 0);
    CHECK(automatic.recomputed > 0);
    CHECK(automatic == none);
    CHECK(automatic.arena < none.arena * 85 / 100);
    // Without lanes sums are added by other threads, so in another order: only with one thread the bits can be compared.
    const Outcome one = trained(model, Recompute::none, single), stage = trained(model, Recompute::stage, single);
    CHECK(stage.recomputed > automatic.recomputed);
    CHECK(stage == one);
    CHECK(stage.arena < automatic.arena * 70 / 100);
  }
}

TEST_CASE("recompute: the same bits where the last steps of the trunk run beside the branches") {
  engine::Lanes pair(engine::Lanes::layout_for(2));
  std::vector<std::string> prefer{line_of(engine::Branches::side_by_side)};
  for (const char* node : {"layer4.1.conv1", "layer4.1.relu1", "layer4.1.conv2", "layer4.1.relu2", "scala4.pool", "fc4"}) prefer.push_back(engine::beside_line(node, engine::Pass::forward));
  for (const char* node : {"layer4.0.relu1", "layer4.0.relu2"}) prefer.push_back(engine::beside_line(node, engine::Pass::backward));
  for (const engine::Pass pass : {engine::Pass::backward_weights, engine::Pass::backward_data})
    for (const char* node : {"layer4.0.conv1", "layer4.0.conv2"}) prefer.push_back(engine::beside_line(node, pass));
  const Outcome none = trained("resnet18", Recompute::none, pair, prefer), automatic = trained("resnet18", Recompute::automatic, pair, prefer);
  CHECK(none.beside > 12);
  CHECK(automatic.recomputed > 0);
  CHECK(automatic == none);
}

// Stages of many blocks have checkpoints within, and chains of what is cheap are bounded: else a deep stage, brought back
// at once, would need as much as if it had been kept.
TEST_CASE("recompute: a stage four times as deep needs little more memory") {
  constexpr std::int64_t kBatch = 16;
  engine::Lanes lanes;
  const auto arena = [&](const char* model) {
    train::ProgramOptions options{.choose = engine::Choose::fixed, .recompute = Recompute::stage};
    train::Programs programs({.model = model, .classes = 10, .width = 8}, model::recipe_by_name("seed"), lanes, options);
    return programs.training(kBatch).memory().arena;
  };
  CHECK(arena("resnet101") < arena("resnet50") * 115 / 100);
}
