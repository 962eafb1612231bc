// cli/step_arguments.hpp: how the gradient of a batch is computed and used, and whose weights are the result: --accumulate --freeze-bn
// --ema --clip-norm.
#pragma once
#include "cli/command.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {

struct StepArguments {
  int accumulate = 1;
  bool freeze_bn = false;
  double ema = 0, clip_norm = 0;
  void declare(CLI::App& app);
  void declare_memory(CLI::App& app);  // but --clip-norm: what a step's memory depends on
  // Throws std::invalid_argument, also where micro-batches of fewer than two images would be left of a batch.
  void check(std::int64_t batch) const;
  void set(train::TrainerOptions& options) const;
};
}  // namespace autodidact::cli
