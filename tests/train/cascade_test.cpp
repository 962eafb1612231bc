// Inference in segments gives what the whole network gives, whoever leaves in between.
#include "train/cascade.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/onednn.hpp"
#include "engine/random.hpp"
#include "train/trainer.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::train;

// Between batches of different sizes only the order of a few additions may differ; of the largest logit.
constexpr double kTolerance = 1e-5;
constexpr std::int64_t kBatch = 11, kClasses = 5, kSide = 16;

TrainerOptions tiny(const char* model, std::int64_t width) {
  TrainerOptions options;
  options.network.model = model;
  options.network.width = width;
  options.network.classes = kClasses;
  options.network.image_height = options.network.image_width = kSide;
  options.network.adaptation.clear();
  options.recipe = model::recipe_by_name("none");
  options.programs.choose = engine::Choose::fixed;
  options.seed = 3;
  return options;
}

std::vector<float> random_images(std::int64_t count) {
  engine::Random random(5, engine::Purpose::probe);
  std::vector<float> images(static_cast<std::size_t>(count * 3 * kSide * kSide));
  for (float& pixel : images) pixel = static_cast<float>(random.normal());
  return images;
}

// The logits of all exits by the program of `eval`.
CascadeResult full_run(Trainer& trainer, std::span<const float> images, std::int64_t count) {
  engine::Program& program = trainer.programs().inference(count);
  std::copy(images.begin(), images.end(), program.input<float>("images").begin());
  trainer.executor().run(program, trainer.store());
  CascadeResult full{.left_at = std::vector<int>(static_cast<std::size_t>(count), 4), .classes = kClasses};
  for (int k = 1; k <= 4; ++k) {
    const auto logits = program.view(fmt::format("logits/{}", k));
    full.logits[static_cast<std::size_t>(k - 1)].assign(logits.begin(), logits.end());
  }
  return full;
}

std::size_t best(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// The largest difference from the full run at the exits that each image came to, of the largest logit there.
double difference(const CascadeResult& result, const CascadeResult& full, const std::vector<int>& exits) {
  double worst = 0;
  for (std::size_t i = 0; i < result.left_at.size(); ++i)
    for (const int k : exits) {
      if (k > result.left_at[i]) continue;
      const auto ours = result.of(k, i), theirs = full.of(k, i);
      double largest = 0, off = 0;
      for (std::size_t q = 0; q < ours.size(); ++q) {
        largest = std::max(largest, std::abs(static_cast<double>(theirs[q])));
        off = std::max(off, std::abs(static_cast<double>(ours[q]) - theirs[q]));
      }
      CHECK(best(ours) == best(theirs));
      worst = std::max(worst, off / largest);
    }
  return worst;
}

std::vector<int> with_last(std::vector<int> exits) {
  exits.push_back(4);
  return exits;
}

// Image i leaves at exit plan[i]; 4: at none.
Cascade::Leaves by_plan(const std::vector<int>& plan) {
  return [plan](int exit, std::size_t image, std::span<const float>) { return plan[image] == exit; };
}
std::vector<int> plan_of(std::uint64_t sample) {
  engine::Random random(9, engine::Purpose::probe, 0, sample);
  std::vector<int> plan;
  for (std::int64_t i = 0; i < kBatch; ++i) plan.push_back(1 + static_cast<int>(random.below(4)));
  return plan;
}
}  // namespace

TEST_CASE("cascade: the ladder holds every number of images with little room to spare") {
  CHECK(ladder(1) == std::vector<std::int64_t>{1});
  CHECK(ladder(40) == std::vector<std::int64_t>{40, 30, 20, 15, 10, 5, 3, 2, 1});
  for (const std::int64_t batch : {1, 2, 3, 7, 16, 17, 100, 128, 129}) {
    const auto rungs = ladder(batch);
    CHECK(rungs.front() == batch);
    CHECK(rungs.back() == 1);
    CHECK(std::is_sorted(rungs.rbegin(), rungs.rend(), std::less_equal<>()));
    for (std::int64_t images = 1; images <= batch; ++images) {
      const std::int64_t chosen = rung(batch, images);
      CHECK(chosen >= images);
      CHECK(std::find(rungs.begin(), rungs.end(), chosen) != rungs.end());
      CHECK(std::none_of(rungs.begin(), rungs.end(), [&](std::int64_t other) { return other >= images && other < chosen; }));
    }
  }
}

TEST_CASE("cascade: segments lie between the kept exits, and exits that do not ascend are refused") {
  CHECK(chain(std::vector<int>{}) == std::vector<Segment>{{0, 4, 4}});
  CHECK(chain(std::vector{2}) == std::vector<Segment>{{0, 2, 2}, {2, 4, 4}});
  CHECK(chain(std::vector{1, 3}) == std::vector<Segment>{{0, 1, 1}, {1, 3, 3}, {3, 4, 4}});
  for (const auto& bad : {std::vector{2, 1}, std::vector{1, 1}, std::vector{0}, std::vector{4}})
    CHECK_THROWS_AS(chain(bad), std::invalid_argument);
}

namespace {
void check_bits(engine::Precision precision) {
  engine::Lanes lanes;
  TrainerOptions options = tiny("resnet18", 8);
  options.programs.precision = precision;
  Trainer trainer(options, lanes);
  const auto images = random_images(kBatch);
  const CascadeResult full = full_run(trainer, images, kBatch);
  std::uint64_t sample = 0;
  for (const auto& exits : {std::vector{1, 2, 3}, std::vector{2}, std::vector{1, 3}, std::vector<int>{}}) {
    Cascade cascade(trainer.programs(), trainer.executor(), trainer.store(), {.exits = exits, .batch = kBatch, .compact = false});
    const auto plan = plan_of(sample++);
    const CascadeResult& result = cascade.run(images, by_plan(plan));
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const bool kept = std::find(exits.begin(), exits.end(), plan[i]) != exits.end();
      CHECK(result.left_at[i] == (kept ? plan[i] : 4));
      for (const int k : with_last(exits))
        if (k <= result.left_at[i]) CHECK(std::ranges::equal(result.of(k, i), full.of(k, i)));
    }
  }
}
}  // namespace

TEST_CASE("cascade: without compaction the logits are the bits of the full run, whichever exits are kept") {
  check_bits(engine::Precision::f32);
}

TEST_CASE("cascade: in bf16 a stage is handed on as it lies, so its bits are those of the full run too") {
  if (engine::onednn::has_bf16()) check_bits(engine::Precision::bf16);
}

TEST_CASE("cascade: whoever leaves, the others get the logits of the full run") {
  engine::Lanes lanes;
  const auto images = random_images(kBatch);
  struct Case {
    const char* model;
    std::int64_t width;
    engine::Choose choose;
    std::vector<int> exits;
  };
  // 24 channels do not fill the blocks that a stage hands on; a bottleneck's stages end otherwise than a basic block's; what was measured
  // for the whole batch holds for its parts.
  for (const auto& [model, width, choose, exits] : {Case{"resnet18", 24, engine::Choose::fixed, {1, 2, 3}},
                                                    Case{"resnet50", 8, engine::Choose::fixed, {1, 3}},
                                                    Case{"resnet18", 16, engine::Choose::measure, {1, 2, 3}}}) {
    TrainerOptions options = tiny(model, width);
    options.programs.choose = choose;
    Trainer trainer(options, lanes);
    const CascadeResult full = full_run(trainer, images, kBatch);
    Cascade cascade(trainer.programs(), trainer.executor(), trainer.store(), {.exits = exits, .batch = kBatch});
    std::vector<std::vector<int>> plans{std::vector<int>(kBatch, 4), std::vector<int>(kBatch, 1)};
    for (std::uint64_t sample = 10; sample < 20; ++sample) plans.push_back(plan_of(sample));
    double worst = 0;
    for (const auto& plan : plans) worst = std::max(worst, difference(cascade.run(images, by_plan(plan)), full, with_last(exits)));
    CAPTURE(std::string(model));
    MESSAGE(std::string(model), " of width ", width, ": largest difference ", worst);
    CHECK(worst <= kTolerance);
  }
}

TEST_CASE("cascade: a short batch, one image, and what cannot be a batch") {
  engine::Lanes lanes;
  Trainer trainer(tiny("resnet18", 8), lanes);
  Cascade cascade(trainer.programs(), trainer.executor(), trainer.store(), {.exits = {2}, .batch = kBatch});
  const auto images = random_images(kBatch);
  const CascadeResult full = full_run(trainer, images, kBatch);
  for (const std::size_t count : {std::size_t{7}, std::size_t{1}}) {
    const CascadeResult& result = cascade.run(std::span(images).first(count * 3 * kSide * kSide), by_plan(std::vector<int>(kBatch, 4)));
    CHECK(result.left_at.size() == count);
    CHECK(difference(result, full, {2, 4}) <= kTolerance);
  }
  CHECK_THROWS_AS(cascade.run(std::span(images).first(5), by_plan({})), std::invalid_argument);
  CHECK_THROWS_AS(cascade.run(random_images(kBatch + 1), by_plan({})), std::invalid_argument);
  CHECK_THROWS_AS(cascade.run({}, by_plan({})), std::invalid_argument);
}

TEST_CASE("cascade: a network without branches has nowhere to leave early") {
  engine::Lanes lanes;
  TrainerOptions options = tiny("resnet18", 8);
  options.recipe = model::recipe_by_name("baseline");
  options.network.branches = false;
  Trainer trainer(options, lanes);
  CHECK_THROWS_AS(Cascade(trainer.programs(), trainer.executor(), trainer.store(), {.exits = {1}}), std::invalid_argument);
}
