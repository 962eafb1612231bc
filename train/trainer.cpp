#include "train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "train/errors.hpp"

namespace autodidact::train {
namespace {

// In the number type of the program: under the reference backend labels are doubles too.
template <class T>
void feed_as(engine::Program& program, std::string_view name, const auto& numbers) {
  std::copy(numbers.begin(), numbers.end(), program.input<T>(name).begin());
}

double scalar(const engine::Program& program, std::string_view name) {
  return program.number_type() == engine::DType::f64 ? program.scalar(name) : program.view(name)[0];
}
}  // namespace

Trainer::Trainer(TrainerOptions options, engine::Lanes& lanes)
    : options_(std::move(options)),
      lanes_(lanes),
      executor_(lanes),
      programs_(options_.network, options_.recipe, lanes, options_.programs),
      store_(programs_.layout(), programs_.master()) {
  model::initialise(store_, options_.seed, options_.initialise);
}

void Trainer::feed(engine::Program& program, const data::Batch& batch, double label_smoothing) {
  const bool reference = program.number_type() == engine::DType::f64;
  const auto feed_labels = [&](const char* name, std::span<const std::int32_t> labels) {
    if (!program.inputs().contains(name)) return;
    if (reference) feed_as<double>(program, name, labels);
    else feed_as<std::int32_t>(program, name, labels);
  };
  if (reference) feed_as<double>(program, "images", batch.images);
  else feed_as<float>(program, "images", batch.images);
  feed_labels("labels", batch.labels);
  feed_labels("second_labels", batch.second_labels.empty() ? batch.labels : batch.second_labels);
  // The other scalars are the same in every step.
  for (const auto& [name, value] : {std::pair{"scalar/mix", batch.weight}, {"scalar/smoothing", label_smoothing}})
    if (program.inputs().contains(name)) program.set(name, {&value, 1});
}

namespace {
[[noreturn]] void refuse_to_evaluate(std::string_view value) {
  throw NumericalError(fmt::format("{} of a batch to evaluate is not finite: the weights are too large", value));
}
}  // namespace

// The largest of numbers that are none would pass for an answer.
void require_finite_logits(const engine::Program& program) {
  for (const auto& [name, terminal] : program.outputs()) {
    const auto logits = program.view(name);
    if (!std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); }))
      refuse_to_evaluate(name);
  }
}

StepLoss Trainer::losses(const engine::Program& program) const {
  StepLoss loss;
  const model::Recipe& recipe = options_.recipe;
  const double soft_weight = recipe.alpha * (recipe.t2 ? recipe.temperature * recipe.temperature : 1);
  // "loss/ce/3" is exit 3's.
  const auto of_exit = [](ExitLosses::List& list, std::string_view name) -> double& {
    return list[static_cast<std::size_t>(name.back() - '1')];
  };
  for (const auto& [name, terminal] : program.outputs()) {
    if (!name.starts_with("loss/")) continue;
    const double value = scalar(program, name);
    if (name == "loss/total") {
      loss.total = value;
    } else if (name.starts_with("loss/ce/")) {
      of_exit(loss.exits.ce, name) = value;
      loss.ce += (name == "loss/ce/4" ? 1 : 1 - recipe.alpha) * value;
    } else if (name.starts_with("loss/soft/")) {
      of_exit(loss.exits.soft, name) = value;
      loss.soft += soft_weight * value;
    } else if (name.starts_with("loss/feature/")) {
      of_exit(loss.exits.feature, name) = value;
      loss.feature += recipe.lambda * value;
    }
  }
  return loss;
}

engine::Program& Trainer::prepare(std::int64_t batch) {
  engine::Program& program = programs_.training(batch);
  if (!sgd_) {
    sgd_ = std::make_unique<optim::Sgd>(options_.sgd, store_.layout(), program.gradients());
    norm_ = std::make_unique<optim::GradientNorm>(store_.layout(), program.gradients());
  }
  return program;
}

StepLoss Trainer::step(const data::Batch& batch, double learning_rate, Tally* tally) {
  const auto count = static_cast<std::int64_t>(batch.count);
  engine::Program& program = prepare(count);
  feed(program, batch, options_.label_smoothing);
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

namespace {
// A NaN's sign says nothing.
std::string number_text(double number) { return std::isnan(number) ? "nan" : fmt::format("{}", number); }
}  // namespace

void Trainer::explain_failure(engine::Program& program, double loss, double norm) {
  store_.discard();
  const auto bad = executor_.run_checked(program, store_);
  store_.discard();
  throw NumericalError(fmt::format(
      "step {}: the loss is {} and the norm of the gradients {}; first not finite: {}. The weights are those of the step "
      "before; a smaller --lr or a --warmup may help",
      steps_ + 1, number_text(loss), number_text(norm),
      bad ? fmt::format("{} ({}) in {}", bad->tensor, name_of(bad->pass), bad->task) : "nothing when run again"));
}

engine::Program& Trainer::infer(const data::Batch& batch, bool checked) {
  engine::Program& program = programs_.inference(static_cast<std::int64_t>(batch.count));
  feed(program, batch);
  // The library's ReLU makes 0 of what is no number (ops/convolution_batch_norm.hpp): weights that overflow show in the values
  // between, whatever the image, and not always in the logits.
  if (!checked) executor_.run(program, store_);
  else if (const auto bad = executor_.run_checked(program, store_)) refuse_to_evaluate(bad->tensor);
  require_finite_logits(program);
  return program;
}

ExitAccuracies Trainer::evaluate(data::Loader& loader, Confusion* confusion) {
  Tally tally(options_.ensemble);
  bool first = true;
  while (const data::Batch* batch = loader.next()) tally.add(infer(*batch, std::exchange(first, false)), batch->labels, confusion);
  return tally.accuracies();
}
}  // namespace autodidact::train
