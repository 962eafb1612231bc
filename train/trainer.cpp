#include "train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "optim/clipping.hpp"
#include "train/errors.hpp"

namespace autodidact::train {
namespace {

// In the number type of the program: under the reference backend labels are doubles too.
template <class T>
void feed_as(engine::Program& program, std::string_view name, const auto& numbers) {
  std::copy(numbers.begin(), numbers.end(), program.input<T>(name).begin());
}
}  // namespace

namespace {
TrainerOptions for_its_pieces(TrainerOptions options) {
  if (options.micro_batches > 1) options.programs.part = model::BatchPart::micro;
  return options;
}
}  // namespace

Trainer::Trainer(TrainerOptions options, engine::Lanes& lanes)
    : options_(for_its_pieces(std::move(options))),
      lanes_(lanes),
      executor_(lanes),
      programs_(options_.network, options_.recipe, lanes, options_.programs),
      store_(programs_.layout(), programs_.master()),
      gradient_(options_.micro_batches, options_.label_smoothing, programs_, executor_, store_) {
  optim::check_clip_norm(options_.clip_norm);
  model::initialise(store_, options_.seed, options_.initialise);
  if (options_.average_decay != 0) average_ = std::make_unique<optim::WeightAverage>(store_, options_.average_decay);
}

void Trainer::restart_average() {
  if (average_) average_->copy(store_);
}

std::span<const double> Trainer::time_tasks(engine::Program& program, const data::Batch& batch, int runs) {
  feed(program, batch);
  for (int run = 0; run <= runs; ++run) {
    store_.touched();  // as after an optimizer step: weights are packed again
    executor_.run(program, store_, {.time_tasks = run > 0});
  }
  return executor_.task_ms();
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

engine::Program& Trainer::prepare(std::int64_t batch) {
  engine::Program& program = gradient_.prepare(batch);
  if (!update_) {
    update_ = optim::make_update_rule(options_.optimizer, store_.layout(), program.gradients());
    update_->prepare(store_);
    norm_ = std::make_unique<optim::GradientNorm>(store_.layout(), program.gradients());
  }
  return program;
}

StepResult Trainer::step(const data::Batch& batch, double learning_rate, Tally* tally) {
  prepare(static_cast<std::int64_t>(batch.count));
  const Tally::Counts counts = tally ? tally->counts() : Tally::Counts{};
  StepResult result{gradient_.run(batch, tally)};
  lanes_.run_wide([&](engine::Lane& lane) { result.gradient_norm = (*norm_)(lane, store_); });
  if (!std::isfinite(result.total) || !std::isfinite(result.gradient_norm)) {
    if (tally) tally->restore(counts);
    explain_failure(batch, result.total, result.gradient_norm);
  }
  const double scale = optim::clip_scale(result.gradient_norm, options_.clip_norm);
  if (options_.clip_norm > 0) result.clipped = scale < 1 ? 1 : 0;
  const optim::UpdateStep update{.learning_rate = learning_rate, .gradient_scale = scale, .step = steps_ + 1};
  lanes_.run_wide([&](engine::Lane& lane) { update_->step(lane, store_, update); });
  store_.commit();
  if (average_) lanes_.run_wide([&](engine::Lane& lane) { average_->update(lane, store_, steps_); });
  ++steps_;
  return result;
}

namespace {
// A NaN's sign says nothing.
std::string number_text(double number) { return std::isnan(number) ? "nan" : fmt::format("{}", number); }
}  // namespace

void Trainer::explain_failure(const data::Batch& batch, double loss, double norm) {
  gradient_.take_back();
  const auto bad = gradient_.find_bad(batch);
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
  if (!checked) executor_.run(program, evaluated());
  else if (const auto bad = executor_.run_checked(program, evaluated())) refuse_to_evaluate(bad->tensor);
  require_finite_logits(program);
  return program;
}

ExitAccuracies Trainer::evaluate(data::Loader& loader, Confusion* confusion) {
  Tally tally;  // of all four exits, also where another ensemble is counted in training
  bool first = true;
  while (const data::Batch* batch = loader.next()) tally.add(infer(*batch, std::exchange(first, false)), batch->labels, confusion);
  return tally.accuracies();
}
}  // namespace autodidact::train
