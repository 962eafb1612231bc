// train/trainer.hpp: batch in, step done. The network, its parameters and its optimizer in one object; knows no files.
//
//   train::Trainer trainer(options, lanes);
//   while (const data::Batch* batch = loader.next()) trainer.step(*batch, 0.1);
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

#include "data/loader.hpp"
#include "engine/executor.hpp"
#include "engine/parameter_store.hpp"
#include "model/initialise.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"
#include "optim/gradient_norm.hpp"
#include "optim/optimizer.hpp"
#include "optim/weight_average.hpp"
#include "train/batch_gradient.hpp"
#include "train/programs.hpp"
#include "train/tally.hpp"

namespace autodidact::train {

struct TrainerOptions {
  model::NetworkOptions network = {};
  model::Recipe recipe = {};
  model::InitialiseOptions initialise = {};
  optim::OptimizerOptions optimizer = optim::SgdOptions{};
  ProgramOptions programs = {};
  std::uint64_t seed = 0;
  Ensemble ensemble = Ensemble::all;
  double label_smoothing = 0;  // 0 … 1: the part of a label that is spread over all classes
  int micro_batches = 1;       // pieces in which the gradient of a batch is computed (train/batch_gradient.hpp)
  double clip_norm = 0;        // the longest gradient (optim/clipping.hpp); 0: any
  double average_decay = 0;    // of the weights' moving average (optim/weight_average.hpp); 0: none is kept
};

struct StepResult : StepLoss {
  double gradient_norm = 0;  // before clipping
  double clipped = kMissing;  // 1 or 0; missing where there is no bound
};

// Throws NumericalError naming the first output of the program, which has just run, that holds a number that is not finite.
void require_finite_logits(const engine::Program& program);

class Trainer {
 public:
  Trainer(TrainerOptions options, engine::Lanes& lanes);

  // Compiles what steps of so many images need, and checks the options: what the first step would do anyway, and throw.
  engine::Program& prepare(std::int64_t batch);

  // One step of the optimizer. The logits of the step are added to `tally` if given; of mixed pictures the
  // first label counts there. Throws NumericalError, naming the first task and
  // tensor that went wrong, if the loss or a gradient is not finite; parameters and statistics are then as they were.
  StepResult step(const data::Batch& batch, double learning_rate, Tally* tally = nullptr);

  // Accuracies of evaluated() over one pass of the loader's current epoch, by the running statistics. Throws NumericalError if a logit,
  // or any value of the first batch, is not finite. Which class was taken for which is counted into `confusion` if given.
  ExitAccuracies evaluate(data::Loader& loader, Confusion* confusion = nullptr);

  // The inference program, which has just computed the logits of this batch. `checked`: looks at every value. Throws as evaluate.
  engine::Program& infer(const data::Batch& batch, bool checked);

  // Writes images and labels into the inputs of a program for batches of this size, whatever its number type.
  static void feed(engine::Program& program, const data::Batch& batch, double label_smoothing = 0);

  // Runs the program on this batch, and `runs` times more to find the smallest time of every task, in milliseconds, in the order of the
  // tasks. On real numbers, as a task's time may depend on them: sums of nothing but zeros are made another way.
  std::span<const double> time_tasks(engine::Program& program, const data::Batch& batch, int runs);

  engine::ParameterStore& store() { return store_; }
  const engine::ParameterStore& store() const { return store_; }
  // The averaged weights; null if none are kept.
  engine::ParameterStore* average() { return average_ ? &average_->store() : nullptr; }
  const engine::ParameterStore* average() const { return average_ ? &average_->store() : nullptr; }
  // What is judged and saved as the result: the average if there is one.
  engine::ParameterStore& evaluated() { return average_ ? average_->store() : store_; }
  // The average starts anew from the weights as they are: after others were put into the store.
  void restart_average();
  Programs& programs() { return programs_; }
  engine::Executor& executor() { return executor_; }
  std::int64_t steps() const { return steps_; }
  // The store holds what so many steps have made of it: after a checkpoint was read.
  void resume_after(std::int64_t steps) { steps_ = steps; }
  const TrainerOptions& options() const { return options_; }

 private:
  [[noreturn]] void explain_failure(const data::Batch& batch, double loss, double norm);

  TrainerOptions options_;
  engine::Lanes& lanes_;
  engine::Executor executor_;
  Programs programs_;
  engine::ParameterStore store_;
  BatchGradient gradient_;
  std::unique_ptr<optim::WeightAverage> average_;
  std::unique_ptr<optim::UpdateRule> update_;
  std::unique_ptr<optim::GradientNorm> norm_;
  std::int64_t steps_ = 0;
};
}  // namespace autodidact::train
