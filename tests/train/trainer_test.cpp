// The step of `train`: the program that it compiles, what it publishes, and what it leaves alone.
#include "train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "data/synthetic.hpp"
#include "engine/gradient_check.hpp"
#include "model/architecture.hpp"
#include "tests/ops/op_harness.hpp"
#include "train/errors.hpp"
#include "train/random_batch.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Choose, engine::ParameterStore, engine::Section, engine::Slot;
using train::RandomBatch, train::Trainer, train::TrainerOptions;

// f32 against f64 on a whole network: 6e-8 a sum in direct convolutions, two digits more through Winograd's transforms, and a
// ReLU here and there whose input is so near to zero that f32 takes the other side.
constexpr double kTrainedTolerance = 5e-3;

engine::Lanes& lanes() {
  static engine::Lanes all;
  return all;
}

TrainerOptions options_of(std::int64_t width, std::int64_t side,
                          const std::string& recipe = "seed") {
  TrainerOptions options;
  options.recipe = model::recipe_by_name(recipe);
  options.network.width = width;
  options.network.classes = 10;
  options.network.image_height = options.network.image_width = side;
  options.network.branches = options.recipe.branches;
  options.network.adaptation = options.recipe.adaptation_exits();
  options.programs.choose = Choose::fixed;
  options.seed = 11;
  return options;
}

constexpr Section kAllSections[] = {Section::values, Section::gradients, Section::momentum,
                                    Section::states, Section::staged_states};
// What others see of a store, and what the next step starts from.
constexpr Section kPublished[] = {Section::values, Section::momentum, Section::states,
                                  Section::staged_states};

std::vector<std::byte> bytes_of(const ParameterStore& store, Section section) {
  const auto& layout = store.layout();
  const bool state = section == Section::states || section == Section::staged_states;
  const auto count =
      static_cast<std::size_t>(state ? layout.state_elements() : layout.parameter_elements());
  const std::byte* data = store.data(section);
  return {data, data + count * engine::bytes_of(store.master())};
}

bool same_bits(const ParameterStore& a, const ParameterStore& b, Section section) {
  return bytes_of(a, section) == bytes_of(b, section);
}

// Of a step that must fail.
std::string numerical_error(Trainer& trainer, const data::Batch& batch) {
  try {
    trainer.step(batch, 0.05);
  } catch (const train::NumericalError& error) {
    return error.what();
  }
  return "no error";
}

bool all_zero(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double number) { return number == 0; });
}

void check_close(const ParameterStore& ours, const ParameterStore& reference, double tolerance) {
  const auto check = [&](Section section, std::span<const Slot> slots) {
    for (const Slot& slot : slots) {
      CAPTURE(slot.name);
      CHECK(engine::relative_error(ours.get(section, slot), reference.get(section, slot)) <=
            tolerance);
    }
  };
  check(Section::gradients, ours.layout().parameters());
  check(Section::values, ours.layout().parameters());
  check(Section::states, ours.layout().states());
}
}  // namespace

TEST_CASE(
    "trainer: the program of `train`, fused, with shared memory, lanes and Winograd, computes the "
    "reference's step") {
  TrainerOptions options = options_of(32, 12);
  const RandomBatch random(options.network, 4);
  Trainer trained(options, lanes());
  options.programs.backend = Backend::reference;
  Trainer reference(options, lanes());
  for (int step = 0; step < 2; ++step) {
    const double ours = trained.step(random.batch(), 0.01).total;
    const double theirs = reference.step(random.batch(), 0.01).total;
    CHECK(std::abs(ours - theirs) <= kTrainedTolerance * std::abs(theirs));
    check_close(trained.store(), reference.store(), kTrainedTolerance);
  }
  const engine::Program& program = trained.programs().training(4);
  const auto any_task = [&](auto question) {
    return std::any_of(program.tasks().begin(), program.tasks().end(), question);
  };
  CHECK(any_task([](const engine::Task& task) {
    return task.name.find(" + ") != std::string::npos;
  }));  // fused
  CHECK(std::any_of(program.phases().begin(), program.phases().end(),
                    [](const engine::Phase& phase) { return phase.lists.size() > 1; }));
  if (testing::has_winograd())
    CHECK(any_task([](const engine::Task& task) { return task.candidate == "winograd"; }));
}

TEST_CASE(
    "trainer: two trainers with the same plan, lanes and all, have the same bits after every "
    "step") {
  const TrainerOptions options = options_of(16, 13);
  const RandomBatch random(options.network, 6);
  Trainer first(options, lanes()), second(options, lanes());
  for (const std::size_t count : {6, 6, 4, 6}) {
    CHECK(first.step(random.first(count), 0.05).total ==
          second.step(random.first(count), 0.05).total);
    for (const Section section : kAllSections)
      CHECK(same_bits(first.store(), second.store(), section));
  }
}

TEST_CASE("trainer: all nine networks take a step at batch 2, at an even and at an odd side") {
  for (const auto& architecture : model::architectures())
    for (const std::int64_t side : {8, 9}) {
      CAPTURE(architecture.name);
      CAPTURE(side);
      const bool grouped = architecture.name.starts_with("resnext");
      TrainerOptions options = options_of(grouped ? 16 : 4, side);  // 32 groups want 32 channels
      options.network.model = architecture.name;
      Trainer trainer(options, lanes());
      const auto values = bytes_of(trainer.store(), Section::values),
                 states = bytes_of(trainer.store(), Section::states);
      const RandomBatch random(options.network, 2);
      CHECK(std::isfinite(trainer.step(random.batch(), 0.01).total));
      CHECK(values != bytes_of(trainer.store(), Section::values));
      CHECK(states != bytes_of(trainer.store(), Section::states));
      const auto& layout = trainer.store().layout();
      for (const Slot& slot : layout.parameters()) {
        CAPTURE(slot.name);
        const auto numbers = trainer.store().get(Section::values, slot);
        CHECK(std::all_of(numbers.begin(), numbers.end(),
                          [](double number) { return std::isfinite(number); }));
      }
      CHECK_FALSE(
          all_zero(trainer.store().get(Section::gradients, *layout.parameter("conv1.weight"))));
      CHECK_FALSE(
          all_zero(trainer.store().get(Section::gradients, *layout.parameter("fc1.weight"))));
    }
}

TEST_CASE(
    "trainer: a step whose loss is not finite changes neither weights nor momentum nor running "
    "statistics") {
  const TrainerOptions options = options_of(8, 8);
  const RandomBatch random(options.network, 4);
  RandomBatch broken(options.network, 4);
  broken.images()[17] = std::numeric_limits<float>::quiet_NaN();
  Trainer trainer(options, lanes()), sheltered(options, lanes());
  trainer.step(random.batch(), 0.05);
  sheltered.step(random.batch(), 0.05);
  CHECK(numerical_error(trainer, broken.batch()).find("first not finite: conv1 (forward)") !=
        std::string::npos);
  CHECK(trainer.steps() == 1);
  for (const Section section : kPublished)
    CHECK(same_bits(trainer.store(), sheltered.store(), section));
  // And the next batch is trained as if nothing had been.
  CHECK(trainer.step(random.batch(), 0.05).total == sheltered.step(random.batch(), 0.05).total);
  for (const Section section : kAllSections)
    CHECK(same_bits(trainer.store(), sheltered.store(), section));
}

TEST_CASE(
    "trainer: a gradient that is not finite changes nothing either, though the loss is a number") {
  TrainerOptions options = options_of(8, 8);
  options.recipe.lambda = 1e36;
  Trainer trainer(options, lanes());
  const RandomBatch random(options.network, 4);
  // Before this batch norm all samples are nearly equal: forward it gives β, backward it multiplies by γ/√ε = 3e8.
  const auto fill = [&](const char* name, double number) {
    const Slot& slot = *trainer.store().layout().parameter(name);
    trainer.store().set(Section::values, slot,
                        std::vector<double>(static_cast<std::size_t>(slot.count), number));
  };
  fill("scala2.1.op.5.weight", 1e-14);
  fill("scala2.1.op.6.weight", 1e6);
  fill("scala2.1.op.6.bias", 1);
  trainer.store().touched();
  std::vector<std::vector<std::byte>> before;
  for (const Section section : kPublished) before.push_back(bytes_of(trainer.store(), section));
  const std::string sentence = numerical_error(trainer, random.batch());
  INFO(sentence);
  CHECK(std::isfinite(trainer.programs().training(4).scalar("loss/total")));
  CHECK(sentence.find("(backward") != std::string::npos);
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(before[i] == bytes_of(trainer.store(), kPublished[i]));
}

TEST_CASE("trainer: the smaller last batch of an epoch is trained, as a mean over its own images") {
  const TrainerOptions options = options_of(8, 8);
  const RandomBatch random(options.network, 8);
  Trainer trainer(options, lanes()), fresh(options, lanes());
  trainer.step(
      random.batch(),
      0);  // leaves the weights alone; a loss in training does not depend on running statistics
  const auto before = bytes_of(trainer.store(), Section::values);
  const train::StepLoss small = trainer.step(random.first(3), 0.05);
  CHECK(small.total == fresh.step(random.first(3), 0.05).total);
  CHECK(before != bytes_of(trainer.store(), Section::values));

  const auto images = data::make_synthetic({.train_samples = 20, .side = 8}, data::Half::train);
  const data::Normalisation plain{{0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};
  data::Loader loader(images, data::Augmentation({}, images->shape(), plain), {.batch = 8});
  std::vector<std::size_t> trained;
  while (const data::Batch* batch = loader.next()) {
    const auto values = bytes_of(trainer.store(), Section::values);
    trainer.step(*batch, 0.05);
    if (values != bytes_of(trainer.store(), Section::values)) trained.push_back(batch->count);
  }
  CHECK(trained == std::vector<std::size_t>{8, 8, 4});
}

TEST_CASE("trainer: a parameter without a gradient neither decays nor drifts") {
  TrainerOptions options = options_of(8, 8);
  options.network.adaptation = {1, 2,
                                3};  // as --compat seed: exit 3 has a layer, and no term uses it
  Trainer trainer(options, lanes());
  const auto& store = trainer.store();
  const auto numbers = [&](Section section, const char* name) {
    return store.get(section, *store.layout().parameter(name));
  };
  const auto unused = numbers(Section::values, "adaptation_layers.0.weight"),
             used = numbers(Section::values, "adaptation_layers.1.weight");
  const RandomBatch random(options.network, 4);
  for (int step = 0; step < 2; ++step) trainer.step(random.batch(), 0.05);
  CHECK(numbers(Section::values, "adaptation_layers.0.weight") == unused);
  CHECK(all_zero(numbers(Section::momentum, "adaptation_layers.0.weight")));
  CHECK(numbers(Section::values, "adaptation_layers.1.weight") != used);
}

TEST_CASE("trainer: tasks are timed on the batch that is given") {
  const TrainerOptions options = options_of(8, 8);
  Trainer trainer(options, lanes());
  engine::Program& program = trainer.programs().training(4);
  const auto loss_of = [&](std::uint64_t seed) {
    const RandomBatch random(options.network, 4, seed);
    CHECK(trainer.time_tasks(program, random.batch(), 1).size() == program.tasks().size());
    return program.view("loss/total")[0];
  };
  const float first = loss_of(1), second = loss_of(2);
  CHECK(first != second);
  CHECK(loss_of(1) == first);
}

TEST_CASE("trainer: the parts of the loss add up to it, under every recipe") {
  for (const model::Recipe& recipe : model::recipes()) {
    CAPTURE(recipe.name);
    const TrainerOptions options = options_of(8, 8, recipe.name);
    Trainer trainer(options, lanes());
    const RandomBatch random(options.network, 4);
    const train::StepLoss loss = trainer.step(random.batch(), 0.05);
    CHECK(loss.total == doctest::Approx(loss.ce + loss.soft + loss.feature).epsilon(1e-5));
    CHECK((loss.soft > 0) == recipe.has_soft_term());
    CHECK((loss.feature > 0) == !recipe.active_feature_exits().empty());

    // What each exit was taught is the same loss before its weights, and missing where there is no such term.
    const auto& [ce, soft, feature] = loss.exits;
    double ce_sum = ce[3], soft_sum = 0, feature_sum = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(std::isnan(ce[k]) == !recipe.branches);
      CHECK(std::isnan(soft[k]) == !recipe.has_soft_term());
      if (!std::isnan(ce[k])) ce_sum += (1 - recipe.alpha) * ce[k];
      if (!std::isnan(soft[k])) soft_sum += recipe.alpha * (recipe.t2 ? recipe.temperature * recipe.temperature : 1) * soft[k];
      if (!std::isnan(feature[k])) feature_sum += recipe.lambda * feature[k];
    }
    for (const int k : recipe.active_feature_exits()) CHECK(feature[static_cast<std::size_t>(k - 1)] > 0);
    CHECK(ce_sum == doctest::Approx(loss.ce));
    CHECK(soft_sum == doctest::Approx(loss.soft));
    CHECK(feature_sum == doctest::Approx(loss.feature));
    CHECK(std::isnan(soft[3]));
    CHECK(std::isnan(feature[3]));
  }
}

TEST_CASE("trainer: the baseline is a plain residual network, and it learns") {
  TrainerOptions options = options_of(8, 9, "baseline");
  const RandomBatch random(options.network, 6);
  Trainer trainer(options, lanes());
  CHECK(trainer.store().layout().parameter("fc4.weight") != nullptr);
  CHECK(trainer.store().layout().parameter("fc1.weight") == nullptr);
  options.programs.backend = Backend::reference;
  Trainer reference(options, lanes());
  train::Tally tally;
  const double first = trainer.step(random.batch(), 0.05, &tally).total;
  CHECK(reference.step(random.batch(), 0.05).total == doctest::Approx(first).epsilon(1e-5));
  check_close(trainer.store(), reference.store(), kTrainedTolerance);
  const auto accuracies = tally.accuracies();
  for (std::size_t k = 0; k < 3; ++k) CHECK(std::isnan(accuracies.exits[k]));
  CHECK_FALSE(std::isnan(accuracies.exits[3]));
  CHECK(std::isnan(accuracies.ensemble));
  double last = first;
  for (int step = 0; step < 6; ++step) last = trainer.step(random.batch(), 0.05).total;
  CHECK(last < first);
}

TEST_CASE("trainer: a gradient that is longer than the bound is scaled to it, and a step says so") {
  TrainerOptions options = options_of(8, 8);
  options.optimizer = optim::SgdOptions{.momentum = 0, .weight_decay = 0};
  Trainer free(options, lanes());
  const RandomBatch random(options.network, 4);
  const train::StepResult unbound = free.step(random.batch(), 0.1);
  CHECK(unbound.gradient_norm > 0);
  CHECK(std::isnan(unbound.clipped));
  for (const double part : {0.5, 2.0}) {
    options.clip_norm = part * unbound.gradient_norm;
    Trainer bound(options, lanes()), start(options, lanes());
    const train::StepResult result = bound.step(random.batch(), 0.1);
    CHECK(result.gradient_norm == unbound.gradient_norm);
    CHECK(result.clipped == (part < 1 ? 1 : 0));
    double squares = 0;  // of the step
    for (const Slot& slot : bound.store().layout().parameters()) {
      const auto after = bound.store().get(Section::values, slot), before = start.store().get(Section::values, slot);
      for (std::size_t i = 0; i < after.size(); ++i) squares += (after[i] - before[i]) * (after[i] - before[i]);
    }
    CHECK(std::sqrt(squares) == doctest::Approx(0.1 * std::min(1.0, part) * unbound.gradient_norm).epsilon(1e-4));
    CHECK(same_bits(bound.store(), free.store(), Section::values) == (part > 1));
  }
}

TEST_CASE("trainer: with an average it is the averaged weights that are judged, and training does not notice") {
  TrainerOptions options = options_of(8, 8);
  Trainer plain(options, lanes());
  options.average_decay = 0.9;
  Trainer averaged(options, lanes());
  const RandomBatch random(options.network, 4);
  for (int step = 0; step < 4; ++step) CHECK(plain.step(random.batch(), 0.1).total == averaged.step(random.batch(), 0.1).total);
  CHECK(same_bits(plain.store(), averaged.store(), Section::values));
  REQUIRE(averaged.average() != nullptr);
  CHECK(plain.average() == nullptr);
  CHECK(&plain.evaluated() == &plain.store());
  CHECK_FALSE(same_bits(averaged.evaluated(), plain.store(), Section::values));
  CHECK_FALSE(same_bits(averaged.evaluated(), plain.store(), Section::states));

  for (const Slot& slot : plain.store().layout().parameters())
    plain.store().set(Section::values, slot, averaged.evaluated().get(Section::values, slot));
  for (const Slot& slot : plain.store().layout().states())
    plain.store().set(Section::states, slot, averaged.evaluated().get(Section::states, slot));
  const auto images = data::make_synthetic({.train_samples = 60, .side = 8}, data::Half::train);
  const data::Normalisation normalisation{{0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};
  data::Loader loader(images, data::Augmentation({}, images->shape(), normalisation), {.batch = 30, .order = data::Order::sequential});
  const auto expected = plain.evaluate(loader);
  loader.start(0);
  CHECK(averaged.evaluate(loader).exits == expected.exits);
}

TEST_CASE("trainer: under every optimizer a layer without a gradient stays as it is, in the average too") {
  for (const optim::OptimizerOptions& optimizer :
       {optim::OptimizerOptions(optim::SgdOptions{}), optim::OptimizerOptions(optim::LarsOptions{}), optim::OptimizerOptions(optim::AdamwOptions{})}) {
    TrainerOptions options = options_of(8, 8);
    options.network.adaptation = {1, 2, 3};
    options.optimizer = optimizer;
    options.average_decay = 0.5;
    options.micro_batches = 2;
    options.clip_norm = 0.1;
    Trainer trainer(options, lanes());
    const Slot& unused = *trainer.store().layout().parameter("adaptation_layers.0.weight");
    const Slot& used = *trainer.store().layout().parameter("adaptation_layers.1.weight");
    const auto before = trainer.store().get(Section::values, unused), other = trainer.store().get(Section::values, used);
    const RandomBatch random(options.network, 4);
    for (int step = 0; step < 2; ++step) trainer.step(random.batch(), 0.01);
    CHECK(trainer.store().get(Section::values, unused) == before);
    CHECK(trainer.average()->get(Section::values, unused) == before);
    CHECK(trainer.store().get(Section::values, used) != other);
    for (const Section section : {Section::momentum, Section::second_moments})
      if (trainer.store().has(section)) CHECK(all_zero(trainer.store().get(section, unused)));
  }
}
