#include "train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/distillation_loss.hpp"
#include "train/errors.hpp"

namespace autodidact::train {
namespace {

void set_scalars(engine::Program& program, const model::Recipe& recipe, std::int64_t batch, model::LabelMixing mixing) {
  for (const auto& [name, value] : model::loss_scalars(recipe, batch, mixing))
    if (program.inputs().contains(name)) program.input<float>(name)[0] = static_cast<float>(value);
}
}  // namespace

Trainer::Trainer(TrainerOptions options, engine::Lanes& lanes)
    : options_(std::move(options)),
      lanes_(lanes),
      executor_(lanes),
      programs_(options_.network, options_.recipe, lanes, options_.choose),
      store_(programs_.layout(), engine::DType::f32) {
  model::initialise(store_, options_.seed, options_.initialise);
}

void Trainer::feed(engine::Program& program, const data::Batch& batch) const {
  std::copy(batch.images.begin(), batch.images.end(), program.input<float>("images").begin());
  const auto feed_labels = [&](const char* name, std::span<const std::int32_t> labels) {
    if (program.inputs().contains(name))
      std::copy(labels.begin(), labels.end(), program.input<std::int32_t>(name).begin());
  };
  feed_labels("labels", batch.labels);
  feed_labels("second_labels", batch.second_labels.empty() ? batch.labels : batch.second_labels);
}

StepLoss Trainer::losses(const engine::Program& program) const {
  StepLoss loss;
  const model::Recipe& recipe = options_.recipe;
  const double soft_weight = recipe.alpha * (recipe.t2 ? recipe.temperature * recipe.temperature : 1);
  for (const auto& [name, terminal] : program.outputs()) {
    if (name == "loss/total") loss.total = program.view(name)[0];
    else if (name.starts_with("loss/ce/"))
      loss.ce += (name == "loss/ce/4" ? 1 : 1 - recipe.alpha) * program.view(name)[0];
    else if (name.starts_with("loss/soft/")) loss.soft += soft_weight * program.view(name)[0];
    else if (name.starts_with("loss/feature/")) loss.feature += recipe.lambda * program.view(name)[0];
  }
  return loss;
}

StepLoss Trainer::step(const data::Batch& batch, double learning_rate, Tally* tally) {
  const auto count = static_cast<std::int64_t>(batch.count);
  engine::Program& program = programs_.training(count);
  if (!sgd_) {
    sgd_ = std::make_unique<optim::Sgd>(options_.sgd, store_.layout(), program.gradients());
    norm_ = std::make_unique<optim::GradientNorm>(store_.layout(), program.gradients());
  }
  feed(program, batch);
  set_scalars(program, options_.recipe, count, {.mix = batch.weight, .smoothing = options_.label_smoothing});
  executor_.run(program, store_);

  const StepLoss loss = losses(program);
  double norm = 0;
  lanes_.run_wide([&](engine::Lane& lane) { norm = (*norm_)(lane, store_); });
  if (!std::isfinite(loss.total) || !std::isfinite(norm)) explain_failure(program, loss.total, norm);
  lanes_.run_wide([&](engine::Lane& lane) { sgd_->step(lane, store_, learning_rate); });
  store_.commit();
  ++steps_;
  if (tally) tally->add(program, batch.labels);
  return loss;
}

void Trainer::explain_failure(engine::Program& program, double loss, double norm) {
  store_.discard();
  const auto bad = executor_.run_checked(program, store_);
  store_.discard();
  throw NumericalError(fmt::format(
      "step {}: the loss is {} and the norm of the gradients {}; first not finite: {}. The weights are those of the step "
      "before; a smaller --lr or a --warmup may help",
      steps_ + 1, loss, norm,
      bad ? fmt::format("{} ({}) in {}", bad->tensor, name_of(bad->pass), bad->task) : "nothing when run again"));
}

ExitAccuracies Trainer::evaluate(data::Loader& loader) {
  Tally tally(options_.ensemble);
  while (const data::Batch* batch = loader.next()) {
    engine::Program& program = programs_.inference(static_cast<std::int64_t>(batch->count));
    feed(program, *batch);
    executor_.run(program, store_);
    tally.add(program, batch->labels);
  }
  return tally.accuracies();
}
}  // namespace autodidact::train
