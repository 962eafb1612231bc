#include "train/trials.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "engine/compile/timings.hpp"
#include "engine/onednn.hpp"

namespace {
using namespace autodidact;
using engine::Mode, engine::Precision;
using train::TrainerOptions;

engine::Lanes& lanes() {
  static engine::Lanes all;
  return all;
}

TrainerOptions small_options() {
  TrainerOptions options;
  options.recipe = model::recipe_by_name("seed");
  options.network.width = 8;
  options.network.classes = 10;
  options.network.image_height = options.network.image_width = 16;
  options.programs.choose = engine::Choose::fixed;
  return options;
}

// Milliseconds of what was tried with 4 images: the key has this mark, or has it not.
double tried_ms(Mode mode, const std::string& mark, bool marked) {
  for (const auto& [key, ms] : engine::timings().used())
    if (key.starts_with(mode == Mode::train ? "step of resnet18" : "inference of resnet18") && key.find(" batch 4 ") != std::string::npos &&
        (key.find(mark) != std::string::npos) == marked)
      return ms;
  return 0;
}

bool divided(const TrainerOptions& options) {
  train::Trainer trainer(options, lanes());
  const auto phases = trainer.programs().training(4).phases();
  return std::any_of(phases.begin(), phases.end(), [](const engine::Phase& phase) { return !phase.wide; });
}
}  // namespace

TEST_CASE("trials: --precision auto takes the one that took less time, says so, and takes it again") {
  TrainerOptions options = small_options();
  for (const Mode mode : {Mode::train, Mode::infer}) {
    const auto found = train::find_precision(options, 4, mode, lanes());
    CHECK(train::find_precision(options, 4, mode, lanes()).reason == found.reason);  // known by then, not timed
    if (!engine::onednn::has_bf16()) {
      CHECK(found.choice == Precision::f32);
      continue;
    }
    const double f32 = tried_ms(mode, " bf16 ", false), bf16 = tried_ms(mode, " bf16 ", true);
    CHECK(f32 > 0);
    CHECK(bf16 > 0);
    CHECK(found.choice == (bf16 < f32 ? Precision::bf16 : Precision::f32));
  }
  options.programs.find_precision = true;
  const TrainerOptions settled = train::with_trials(options, 4, Mode::train, lanes());
  CHECK_FALSE(settled.programs.find_precision);
  CHECK(settled.programs.precision == train::find_precision(options, 4, Mode::train, lanes()).choice);
}

TEST_CASE("trials: --lanes auto takes the one that took less time, says so, and takes it again") {
  TrainerOptions options = small_options();
  options.network.width = 16;  // not what the other case has tried
  engine::Lanes two(engine::Lanes::layout_for(2));
  for (const Mode mode : {Mode::train, Mode::infer}) {
    const auto found = train::find_lanes(options, 4, mode, two);
    CHECK(train::find_lanes(options, 4, mode, two).reason == found.reason);
    CHECK(found.reason.find(" ms with branches side by side and ") != std::string::npos);
    const double on = std::stod(found.reason.substr(found.reason.find("takes ") + 6)), off = std::stod(found.reason.substr(found.reason.find("side and ") + 9));
    CHECK((found.choice ? on <= off : off <= on));  // rounded to milliseconds
    CHECK(tried_ms(mode, " undivided", true) > 0);
  }
  options.programs.find_lanes = true;
  const TrainerOptions settled = train::with_trials(options, 4, Mode::train, two);
  CHECK_FALSE(settled.programs.find_lanes);
  CHECK(settled.programs.lanes == train::find_lanes(options, 4, Mode::train, two).choice);
}

TEST_CASE("trials: without lanes every phase is wide, and where there is nothing to divide nothing is tried") {
  TrainerOptions options = small_options();
  CHECK(divided(options) == (lanes().layout().wide > 1));
  options.programs.lanes = false;
  CHECK_FALSE(divided(options));
  const std::size_t known = engine::timings().size();
  engine::Lanes one(1), two(engine::Lanes::layout_for(2));
  CHECK_FALSE(train::find_lanes(options, 4, Mode::train, one).choice);
  options.programs.recompute = engine::Recompute::stage;
  CHECK_FALSE(train::find_lanes(options, 4, Mode::train, two).choice);
  CHECK_FALSE(train::find_lanes(options, 4, Mode::infer, two).choice);
  options.network.branches = false;
  options.recipe = model::recipe_by_name("baseline");
  CHECK_FALSE(train::find_lanes(options, 4, Mode::infer, two).choice);
  CHECK(engine::timings().size() == known);
}
