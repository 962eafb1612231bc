// A batch in micro-batches: with frozen batch norm the gradient is that of the whole batch; without, what is documented.
#include "train/batch_gradient.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/gradient_check.hpp"
#include "engine/random.hpp"
#include "train/errors.hpp"
#include "train/trainer.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Section;
using train::Trainer, train::TrainerOptions;

constexpr std::int64_t kSide = 8, kClasses = 5;
constexpr std::size_t kBatch = 7;  // no number of micro-batches below divides it
constexpr int kPieces = 3;
// The same sums of f64 numbers in another order, through a hundred layers.
constexpr double kReferenceTolerance = 1e-12;
// f32: other batch sizes may take other algorithms; 6e-8 a sum, more through a network of some twenty convolutions.
constexpr double kFastTolerance = 1e-4;

engine::Lanes& lanes() {
  static engine::Lanes all(2);
  return all;
}

// Mixed pictures: two labels each.
class MixedBatch {
 public:
  MixedBatch() {
    engine::Random random(3, engine::Purpose::probe);
    for (std::size_t i = 0; i < kBatch * 3 * kSide * kSide; ++i) images.push_back(static_cast<float>(random.normal()));
    for (std::size_t n = 0; n < kBatch; ++n) {
      first.push_back(static_cast<std::int32_t>(n % kClasses));
      second.push_back(static_cast<std::int32_t>((n * n + 1) % kClasses));
    }
  }
  data::Batch batch(std::size_t count = kBatch) const {
    return train::part_of({.images = images, .labels = first, .count = kBatch, .second_labels = second, .weight = 0.75}, 0, count);
  }
  std::vector<float> images;
  std::vector<std::int32_t> first, second;
};

TrainerOptions options_of(const char* recipe, Backend backend, int pieces, bool frozen) {
  TrainerOptions options;
  options.recipe = model::recipe_by_name(recipe);
  options.network.width = 8;
  options.network.classes = kClasses;
  options.network.image_height = options.network.image_width = kSide;
  options.network.adaptation = options.recipe.adaptation_exits();
  options.programs.choose = engine::Choose::direct;
  options.programs.backend = backend;
  options.programs.freeze_batch_norm = frozen;
  options.label_smoothing = 0.1;
  options.micro_batches = pieces;
  options.seed = 4;
  return options;
}

// Statistics as of a network that has trained: those of a fresh one would hide what is wrong with them.
void give_statistics(engine::ParameterStore& store) {
  for (const engine::Slot& slot : store.layout().states()) {
    std::vector<double> numbers(static_cast<std::size_t>(slot.count));
    const double middle = slot.name.ends_with("running_var") ? 1.5 : 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = middle + 0.5 * std::sin(static_cast<double>(i + slot.name.size()));
    store.set(Section::states, slot, numbers);
  }
}

// The largest relative error of a tensor.
double difference(const Trainer& ours, const Trainer& theirs, Section section) {
  double worst = 0;
  const auto& layout = ours.store().layout();
  for (const engine::Slot& slot : section == Section::states ? layout.states() : layout.parameters())
    worst = std::max(worst, engine::relative_error(ours.store().get(section, slot), theirs.store().get(section, slot)));
  return worst;
}

std::vector<std::byte> bytes_of(const engine::ParameterStore& store, Section section, std::int64_t elements) {
  const std::byte* data = store.data(section);
  return {data, data + static_cast<std::size_t>(elements) * engine::bytes_of(store.master())};
}
}  // namespace

TEST_CASE("batch_gradient: micro-batches with frozen batch norm take the steps of the whole batch, loss, gradients and weights") {
  const MixedBatch mixed;
  for (const Backend backend : {Backend::reference, Backend::fast})
    for (const char* recipe : {"seed", "iccv2019"}) {
      CAPTURE(recipe);
      CAPTURE(static_cast<int>(backend));
      const double tolerance = backend == Backend::reference ? kReferenceTolerance : kFastTolerance;
      Trainer whole(options_of(recipe, backend, 1, true), lanes()), pieces(options_of(recipe, backend, kPieces, true), lanes());
      for (Trainer* trainer : {&whole, &pieces}) give_statistics(trainer->store());
      // Twice: the second step finds weights that have changed since the sweep forward.
      for (int step = 0; step < 2; ++step) {
        const auto expected = whole.step(mixed.batch(), 0.01), found = pieces.step(mixed.batch(), 0.01);
        const auto close = [&](double a, double b) { CHECK(std::abs(a - b) <= tolerance * std::abs(b)); };
        close(found.total, expected.total);
        close(found.ce, expected.ce);
        close(found.soft, expected.soft);
        close(found.feature, expected.feature);
        close(found.gradient_norm, expected.gradient_norm);
        CHECK(found.feature > 0);
        CHECK(difference(pieces, whole, Section::gradients) <= tolerance);
        CHECK(difference(pieces, whole, Section::values) <= tolerance);
        CHECK(difference(pieces, whole, Section::states) == 0);
      }
    }
}

TEST_CASE("batch_gradient: without freezing, running statistics go on once a micro-batch, as in so many steps") {
  const MixedBatch mixed;
  const std::size_t count = 4;
  Trainer pieces(options_of("seed", Backend::reference, 2, false), lanes()), halves(options_of("seed", Backend::reference, 1, false), lanes());
  Trainer whole(options_of("seed", Backend::reference, 1, false), lanes());
  pieces.step(mixed.batch(count), 0);
  whole.step(mixed.batch(count), 0);
  for (const std::size_t first : {std::size_t{0}, count / 2}) halves.step(train::part_of(mixed.batch(count), first, count / 2), 0);
  CHECK(difference(pieces, halves, Section::states) <= kReferenceTolerance);
  CHECK(difference(pieces, whole, Section::states) > 1e-2);
  CHECK(difference(pieces, whole, Section::gradients) > 1e-2);  // each piece was normalised by itself
}

TEST_CASE("batch_gradient: frozen statistics stay as they are, and beta and gamma learn") {
  const MixedBatch mixed;
  Trainer trainer(options_of("seed", Backend::fast, 1, true), lanes());
  give_statistics(trainer.store());
  const auto& layout = trainer.store().layout();
  const auto states = bytes_of(trainer.store(), Section::states, layout.state_elements());
  const auto gamma = trainer.store().get(Section::values, *layout.parameter("bn1.weight"));
  const auto beta = trainer.store().get(Section::values, *layout.parameter("bn1.bias"));
  trainer.step(mixed.batch(), 0.01);
  CHECK(states == bytes_of(trainer.store(), Section::states, layout.state_elements()));
  CHECK(gamma != trainer.store().get(Section::values, *layout.parameter("bn1.weight")));
  CHECK(beta != trainer.store().get(Section::values, *layout.parameter("bn1.bias")));
}

TEST_CASE("batch_gradient: a micro-batch that fails takes the whole step back, and the number is named") {
  MixedBatch mixed;
  Trainer trainer(options_of("seed", Backend::fast, kPieces, false), lanes());
  trainer.step(mixed.batch(), 0.01);
  const auto& layout = trainer.store().layout();
  const auto published = [&] {
    std::vector<std::vector<std::byte>> all;
    for (const Section section : {Section::values, Section::momentum}) all.push_back(bytes_of(trainer.store(), section, layout.parameter_elements()));
    for (const Section section : {Section::states, Section::staged_states}) all.push_back(bytes_of(trainer.store(), section, layout.state_elements()));
    return all;
  };
  trainer.store().discard();  // staged as the next step starts
  const auto before = published();
  const float good = mixed.images.back();
  mixed.images.back() = std::numeric_limits<float>::infinity();  // of the last micro-batch
  train::Tally tally;
  std::string sentence;
  try {
    trainer.step(mixed.batch(), 0.01, &tally);
  } catch (const train::NumericalError& error) {
    sentence = error.what();
  }
  INFO(sentence);
  CHECK(sentence.find("conv1") != std::string::npos);
  CHECK(published() == before);
  CHECK(tally.images() == 0);
  CHECK(trainer.steps() == 1);
  mixed.images.back() = good;
  CHECK(std::isfinite(trainer.step(mixed.batch(), 0.01, &tally).total));
  CHECK(tally.images() == kBatch);
}

TEST_CASE("batch_gradient: batches of every size are split so that no micro-batch has fewer than two images") {
  CHECK(train::micro_batches(128, 4) == 4);
  CHECK(train::micro_batches(7, 4) == 3);
  CHECK(train::micro_batches(3, 4) == 1);
  CHECK(train::micro_batches(1, 4) == 1);
  CHECK(train::micro_batches(8, 1) == 1);
  const MixedBatch mixed;
  Trainer pieces(options_of("seed", Backend::reference, 4, true), lanes()), whole(options_of("seed", Backend::reference, 1, true), lanes());
  for (const std::size_t count : {kBatch, std::size_t{5}, std::size_t{3}, std::size_t{4}}) {
    CAPTURE(count);
    CHECK(pieces.step(mixed.batch(count), 0.01).total == doctest::Approx(whole.step(mixed.batch(count), 0.01).total).epsilon(1e-11));
  }
  CHECK(difference(pieces, whole, Section::values) <= kReferenceTolerance * 10);
}

TEST_CASE("batch_gradient: a micro-batch needs less memory than the batch") {
  Trainer pieces(options_of("seed", Backend::fast, 4, false), lanes()), whole(options_of("seed", Backend::fast, 1, false), lanes());
  // Not a quarter: scratch for gradients of weights does not shrink.
  CHECK(pieces.prepare(64).memory().arena * 2 < whole.prepare(64).memory().arena);
}
