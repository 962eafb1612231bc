// bf16 as a run meets it: the steps that it makes, how they are checked, and how auto decides.
#include "train/precision.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "engine/compile/timings.hpp"
#include "engine/mutation.hpp"
#include "engine/onednn.hpp"
#include "train/errors.hpp"
#include "train/random_batch.hpp"
#include "train/step_check.hpp"

namespace {
using namespace autodidact;
using engine::Precision;
using train::RandomBatch, train::Trainer, train::TrainerOptions;

engine::Lanes& lanes() {
  static engine::Lanes all;
  return all;
}

TrainerOptions options_of(const std::string& model, Precision precision) {
  TrainerOptions options;
  options.recipe = model::recipe_by_name("seed");
  options.network.model = model;
  options.network.width = 16;
  options.network.classes = 10;
  options.network.image_height = options.network.image_width = 16;
  if (model == "resnext50_32x4d") options.network.width = 32;
  options.programs.choose = engine::Choose::fixed;
  options.programs.precision = precision;
  return options;
}

double last_loss(const std::string& model, Precision precision, int steps) {
  Trainer trainer(options_of(model, precision), lanes());
  const RandomBatch random(trainer.options().network, 8);
  double loss = 0;
  for (int step = 0; step < steps; ++step) loss = trainer.step(random.batch(), 0.02).total;
  return loss;
}
}  // namespace

TEST_CASE("precision: every kind of network takes steps in bf16 whose losses are near those of f32, and falls as they do") {
  if (!engine::onednn::has_bf16()) return;
  // One batch learned by heart: what rounding at 2^-9 changes in a few steps stays small beside what they learn.
  constexpr double kNear = 0.1;
  for (const char* model : {"resnet18", "resnet50", "resnext50_32x4d"}) {
    CAPTURE(model);
    const double f32 = last_loss(model, Precision::f32, 4), bf16 = last_loss(model, Precision::bf16, 4);
    CHECK(std::abs(bf16 - f32) <= kNear * f32);
    CHECK(bf16 != f32);
    CHECK(bf16 < last_loss(model, Precision::bf16, 1));
  }
}

TEST_CASE("precision: planes are bf16, and all that the caller reads or that is learned is f32") {
  if (!engine::onednn::has_bf16()) return;
  Trainer trainer(options_of("resnet18", Precision::bf16), lanes());
  engine::Program& program = trainer.programs().training(8);
  for (const engine::Task& task : program.tasks())
    for (std::size_t i = 0; i < task.writes.size(); ++i) {
      CAPTURE(task.name);
      CAPTURE(task.write_names[i]);
      const engine::TensorType& type = task.write_types[i];
      const bool planes = type.shape.rank() == 4 && task.writes[i].region == engine::Region::arena && !task.pack;
      if (type.dtype == engine::DType::u8) continue;  // blobs
      CHECK(type.dtype == (planes ? engine::DType::bf16 : engine::DType::f32));
    }
  for (const auto& [name, terminal] : program.outputs()) CHECK(terminal.type.dtype == engine::DType::f32);
  for (const auto& [name, terminal] : program.inputs()) CHECK(terminal.type.dtype != engine::DType::bf16);
  CHECK(trainer.store().master() == engine::DType::f32);
}

TEST_CASE("precision: a step in bf16 passes its check, and one with a wrong gradient does not") {
  if (!engine::onednn::has_bf16()) return;
  const RandomBatch random(options_of("resnet18", Precision::bf16).network, 16);
  for (const char* model : {"resnet18", "resnet50"}) {
    CAPTURE(model);
    Trainer trainer(options_of(model, Precision::bf16), lanes());
    const auto slot = *trainer.store().layout().parameter("layer1.0.bn2.weight");
    const auto gamma = trainer.store().get(engine::Section::values, slot);
    const train::StepCheck check = train::check_step(trainer, random.batch());
    CHECK(check.bf16);
    CHECK(check.passed());
    double worst = 0;
    for (const auto& [name, error] : check.errors) worst = std::max(worst, error);
    CHECK(worst > 1e-3);  // it is bf16 that was checked
    CHECK(trainer.store().get(engine::Section::values, slot) == gamma);
  }
  for (const char* mutant : {"batch_norm.fast.dgamma", "convolution.fast.dx"}) {
    CAPTURE(mutant);
    engine::active_mutation = mutant;
    Trainer broken(options_of("resnet18", Precision::bf16), lanes());
    CHECK_FALSE(train::check_step(broken, random.batch()).passed());
  }
  engine::active_mutation.clear();
}

TEST_CASE("precision: a number in bf16 that is not finite is found and named") {
  if (!engine::onednn::has_bf16()) return;
  Trainer trainer(options_of("resnet18", Precision::bf16), lanes());
  RandomBatch random(trainer.options().network, 8);
  const_cast<float&>(random.batch().images[7]) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(trainer.step(random.batch(), 0.1), doctest::Contains("first not finite: images"), train::NumericalError);
}

TEST_CASE("precision: auto takes the one that took less time, says so, and takes it again") {
  TrainerOptions options = options_of("resnet18", Precision::f32);
  options.network.width = 8;
  for (const engine::Mode mode : {engine::Mode::train, engine::Mode::infer}) {
    const train::FoundPrecision found = train::find_precision(options, 4, mode, lanes());
    CHECK(train::find_precision(options, 4, mode, lanes()).reason == found.reason);  // known by then, not timed
    double ms[2] = {};
    for (const auto& [key, time] : engine::timings().used())
      if (key.starts_with(mode == engine::Mode::train ? "step of resnet18" : "inference of resnet18") && key.find(" batch 4 ") != std::string::npos)
        ms[key.find(" bf16 ") != std::string::npos] = time;
    if (!engine::onednn::has_bf16()) {
      CHECK(found.precision == Precision::f32);
      continue;
    }
    CHECK(ms[0] > 0);
    CHECK(ms[1] > 0);
    CHECK(found.precision == (ms[1] < ms[0] ? Precision::bf16 : Precision::f32));
  }
  options.programs.find_precision = true;
  const TrainerOptions settled = train::with_precision(options, 4, engine::Mode::train, lanes());
  CHECK_FALSE(settled.programs.find_precision);
  CHECK(settled.programs.precision == train::find_precision(options, 4, engine::Mode::train, lanes()).precision);
}
