#include "cli/step_arguments.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "optim/clipping.hpp"

namespace autodidact::cli {

void StepArguments::declare_memory(CLI::App& app) {
  app.add_option("--accumulate", accumulate, "micro-batches in which a batch is computed, for less memory")->check(CLI::Range(1, 100000));
  app.add_flag("--freeze-bn", freeze_bn, "batch norm by the running statistics, which stay as they are; its weights and biases are trained");
  app.add_option("--ema", ema, "decay of a moving average of the weights, which is then what is judged and saved; 0 = none");
}

void StepArguments::declare(CLI::App& app) {
  declare_memory(app);
  app.add_option("--clip-norm", clip_norm, "the longest gradient, by the norm of all together; 0 = any");
}

void StepArguments::check(std::int64_t batch) const {
  optim::check_average_decay(ema);
  optim::check_clip_norm(clip_norm);
  constexpr std::int64_t kLeast = 2;
  if (accumulate > 1 && batch < kLeast * accumulate)
    throw std::invalid_argument(fmt::format("--accumulate {} leaves fewer than {} images of --batch {} for a micro-batch", accumulate, kLeast, batch));
}

void StepArguments::set(train::TrainerOptions& options) const {
  options.micro_batches = accumulate;
  options.programs.freeze_batch_norm = freeze_bn;
  options.average_decay = ema;
  options.clip_norm = clip_norm;
}
}  // namespace autodidact::cli
