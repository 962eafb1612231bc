#include "train/step_check.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/mutation.hpp"
#include "engine/random.hpp"
#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;

constexpr std::size_t kImages = 4;

train::TrainerOptions narrow(std::int64_t side) {
  train::TrainerOptions options;
  options.network = {.classes = 10, .image_height = side, .image_width = side, .width = 16};
  options.recipe = model::recipe_by_name("seed");
  options.programs.choose = engine::Choose::fixed;
  return options;
}

train::StepCheck check(std::int64_t side, int threads = 2) {
  engine::Lanes lanes(engine::Lanes::layout_for(threads));
  train::Trainer trainer(narrow(side), lanes);
  std::vector<float> images(kImages * 3 * static_cast<std::size_t>(side * side));
  engine::Random random(1, engine::Purpose::probe);
  for (float& pixel : images) pixel = static_cast<float>(random.normal());
  const std::vector<std::int32_t> labels{1, 2, 3, 4};
  const train::StepCheck result = train::check_step(trainer, {.images = images, .labels = labels, .count = kImages});
  CHECK(trainer.steps() == 0);
  return result;
}

double worst(const train::StepCheck& check) {
  return std::max_element(check.errors.begin(), check.errors.end(), [](const auto& a, const auto& b) {
           return a.second < b.second;
         })->second;
}
}  // namespace

TEST_CASE("step check: a step is that of the textbook, losses, gradients and statistics") {
  const train::StepCheck result = check(16);
  MESSAGE("worst error ", worst(result), ", at most ", result.tolerance());
  CHECK(result.passed());
  CHECK(result.winograd == testing::has_winograd());
  CHECK(result.against == "the textbook in f64");
  CHECK(result.errors.contains("loss/total"));
  CHECK(result.errors.contains("d/layer4.1.conv2.weight"));
  CHECK(result.errors.contains("layer1.0.bn1.running_var"));
}

TEST_CASE("step check: a step is that of the textbook on more threads than there are cores, too") {
  for (const int threads : {1, 3, 6}) CHECK(check(16, threads).passed());
}

TEST_CASE("step check: a broken formula in the compiled step is noticed") {
  engine::active_mutation = "convolution.fast.dw";
  CHECK(!check(16).passed());
  engine::active_mutation.clear();
}
