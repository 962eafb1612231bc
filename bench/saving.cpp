// bench_saving: what a checkpoint costs the step beside it. ResNet-18 of width 64 on images of 32 px, batch 128, f32, on every core.
//
//     bench_saving FOLDER [ROUNDS]
//
// In turn a step alone, and a step that a save stands before: copying the state, and whatever writing it in the background takes
// from the step. The checkpoints are written into FOLDER, which says what disk is measured, and the last one stays there.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "train/checkpoint_store.hpp"
#include "train/median.hpp"
#include "train/random_batch.hpp"
#include "train/trainer.hpp"

namespace {
using namespace autodidact;

template <class F>
double seconds_of(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count > 3) return fmt::print(stderr, "usage: bench_saving FOLDER [ROUNDS]\n"), 2;
  const int rounds = count > 2 ? std::max(1, std::atoi(arguments[2])) : 10;
  constexpr std::int64_t kBatch = 128;
  engine::Lanes lanes;
  train::TrainerOptions options;
  options.network.classes = 100;
  options.recipe = model::recipe_by_name("seed");
  train::Trainer trainer(options, lanes);
  const train::RandomBatch images(trainer.options().network, kBatch);
  const auto step = [&] { trainer.step(images.batch(), 0.01); };
  train::CheckpointStore checkpoints(arguments[1], 1);
  checkpoints.begin(0);
  checkpoints.reserve(trainer.store());
  for (int i = 0; i < 3; ++i) step();

  std::vector<double> alone, beside, ratios, copying, writing;
  for (int i = 0; i < rounds; ++i) {
    alone.push_back(seconds_of(step));
    beside.push_back(seconds_of([&] {
      copying.push_back(seconds_of([&] { checkpoints.save({.steps = trainer.steps()}, trainer.store()); }));
      step();
    }));
    ratios.push_back(beside.back() / alone.back());
    writing.push_back(beside.back() + seconds_of([&] { checkpoints.wait(); }));
  }
  fmt::print("{{\"step_s\": {:.4f}, \"step_with_save_s\": {:.4f}, \"ratio\": {:.4f}, \"largest_ratio\": {:.4f}, \"copy_s\": {:.4f}, \"written_after_s\": {:.3f}}}\n",
             train::median(alone), train::median(beside), train::median(ratios), *std::max_element(ratios.begin(), ratios.end()),
             train::median(copying), train::median(writing));
}
