#include "train/training_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "data/fingerprint.hpp"
#include "train/atomic_file.hpp"
#include "train/chart.hpp"
#include "train/checkpoint_store.hpp"
#include "train/errors.hpp"
#include "train/init_from.hpp"
#include "train/interruption.hpp"
#include "train/metrics_log.hpp"
#include "train/plan_choices.hpp"
#include "train/precision.hpp"
#include "train/progress.hpp"
#include "train/resume.hpp"
#include "train/stretch.hpp"

namespace autodidact::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Steps between two rows of metrics.jsonl inside an epoch.
constexpr std::int64_t kLogEvery = 50;

class Run {
 public:
  Run(const RunOptions& options, const data::Source& source, engine::Lanes& lanes)
      : options_(options),
        schedule_(options.schedule),
        directory_(options.directory, existing_run(options)),
        checkpoints_(directory_.checkpoints(), options.keep),
        resumed_(with_its_plan(checkpoint_to_resume(options, source, checkpoints_), lanes)),
        trainer_(with_choices(options.trainer, source, lanes), lanes) {
    state_.data = data::fingerprint(*source.train);
    state_.machine = machine_and_threads(lanes);
    state_.precision = name_of(trainer_.options().programs.precision);
    state_.config = options.config_text;
    make_loaders(source);
    if (!options.init_from.empty() && !resumed_) initialise_from_file();
    state_.choices = plan_choices(trainer_.prepare(static_cast<std::int64_t>(training_->plan().size(0))));
    // Now, not at the end of the epoch: every checkpoint then has the measurements by which its algorithms were chosen too.
    trainer_.prepare(static_cast<std::int64_t>(training_->plan().last()));
    if (resumed_) go_back();
    begin_folder();
    resumed_.reset();
  }

  RunResult go() {
    start_ = Clock::now();
    while (state_.epoch < options_.epochs && (state_.step > 0 || !finished())) {
      train_epoch();
      if (Interruption::signal() != 0) break;
      end_epoch();
    }
    progress_.clear();
    result_.signal = Interruption::signal();
    if (result_.signal != 0) save_interrupted();
    checkpoints_.wait();
    result_.steps = trainer_.steps();
    result_.best = state_.best;
    result_.best_epoch = state_.best_epoch;
    result_.best_on = judged_on(options_);
    if (result_.signal == 0) end_folder();
    return result_;
  }

 private:
  // Before anything is compiled: what was measured then decides now.
  static std::optional<Checkpoint> with_its_plan(std::optional<Checkpoint> checkpoint, const engine::Lanes& lanes) {
    if (!checkpoint) return checkpoint;
    const std::string here = machine_and_threads(lanes);
    if (checkpoint->state.machine == here) adopt_timings(checkpoint->state.timings, engine::timings());
    else say(fmt::format("the checkpoint was written on {}, this is {}: the run goes on, but not to the same bits\n",
                         checkpoint->state.machine, here));
    return checkpoint;
  }

  TrainerOptions with_choices(TrainerOptions trainer, const data::Source& source, engine::Lanes& lanes) const {
    if (resumed_ && resumed_->state.machine == machine_and_threads(lanes)) trainer.programs.prefer = lines_of(resumed_->state.choices);
    if (resumed_ && trainer.programs.find_precision) {  // as it was found when the run began
      trainer.programs.find_precision = false;
      if (resumed_->state.precision == "bf16") trainer.programs.precision = engine::Precision::bf16;
    }
    const std::size_t all = source.train->size(), held_out = options_.validation == data::Validation::none ? 0 : data::validation_size(all);
    return with_precision(std::move(trainer), static_cast<std::int64_t>(std::min(options_.batch, all - held_out)), engine::Mode::train, lanes);
  }

  // To the step after which the checkpoint was written.
  void go_back() {
    const RunState& before = resumed_->state;
    if (before.step > epoch_steps())
      throw FileFormatError(fmt::format("{}: an epoch has {} steps, not {}", resumed_->file.path.string(), epoch_steps(), before.step));
    restore(*resumed_, trainer_.store());
    if (trainer_.average()) restore_average(*resumed_, *trainer_.average());
    trainer_.resume_after(before.steps);
    if (const std::string other = choices_difference(before.choices, state_.choices); !other.empty() && before.machine == state_.machine)
      say(fmt::format("the run goes on, but not to the same bits: {}\n", other));
    RunState now = before;
    now.data = std::move(state_.data);
    now.machine = std::move(state_.machine);
    now.precision = std::move(state_.precision);
    now.config = std::move(state_.config);
    now.choices = std::move(state_.choices);
    state_ = std::move(now);
    result_.init_from = state_.init_from;
    say(fmt::format("goes on after step {} of epoch {}, {} in all, from {}\n", state_.step, state_.epoch + 1, state_.steps,
                    resumed_->file.path.string()));
  }

  void begin_folder() {
    // First what may refuse: nothing of an old run is removed before.
    if (const int removed = checkpoints_.begin(resumed_ ? state_.steps : -1, state_.step_of_best()); removed > 0 && resumed_)
      say(fmt::format("{} checkpoints of later steps are removed\n", removed));
    if (resumed_) directory_.go_on();
    else directory_.begin();
    if (resumed_) {
      write_file_atomically(directory_.metrics(), state_.metrics);
      save_weights(directory_.last_weights(), options_.info, trainer_.evaluated(), trainer_.steps());
      restore_best();
      write_chart();
    }
    checkpoints_.reserve(trainer_.store(), trainer_.average());
    log_.emplace(directory_.metrics());
    write_file_atomically(directory_.config(), options_.config_text);
    saved_step_ = state_.steps;
  }

  // best.safetensors may be of a later epoch than the checkpoint's, or lie in another folder.
  void restore_best() {
    if (state_.best_epoch == 0) return;
    const auto path = resumed_->file.path.parent_path() / checkpoints_.path_of(state_.best_step).filename();
    engine::ParameterStore best(trainer_.store().shared_layout(), trainer_.store().master(), false);
    try {
      const auto load = [&](const Checkpoint& from) { trainer_.average() ? restore_average(from, best) : restore(from, best); };
      state_.best_step == state_.steps ? load(*resumed_) : load(read_checkpoint(path));
    } catch (const FileFormatError& error) {
      say(fmt::format("the best weights so far, of epoch {}, cannot be written again: {}\n", state_.best_epoch, error.what()));
      return;
    }
    save_weights(directory_.best_weights(), options_.info, best, state_.best_step);
  }

  void make_loaders(const data::Source& source) {
    const data::Split split = data::split_validation(source.train->size(), options_.validation, options_.trainer.seed);
    const auto part = [&](const std::vector<std::uint32_t>& indices) {
      return std::make_shared<data::SubsetDataset>(source.train, indices);
    };
    const auto plain = [&](const data::DatasetPointer& dataset) {
      return std::make_unique<data::Loader>(
          dataset, data::Augmentation({.kind = data::Augment::none}, dataset->shape(), *source.normalisation),
          data::Loader::Options{.batch = options_.batch, .min_last = 1, .order = data::Order::sequential, .workers = options_.workers});
    };
    const data::DatasetPointer training = part(split.train);
    training_ = std::make_unique<data::Loader>(
        training, data::Augmentation(options_.augment, training->shape(), *source.normalisation),
        data::Loader::Options{.batch = options_.batch, .seed = options_.trainer.seed, .mixing = options_.mixing, .workers = options_.workers});
    if (!split.validation.empty()) validation_ = plain(part(split.validation));
    if (source.test) test_ = plain(source.test);
    if (options_.best_on_test && !test_)
      throw std::invalid_argument("the best epoch cannot be picked on the test half of data that has none");
  }

  void initialise_from_file() {
    result_.init_from = state_.init_from = load_start(read_safetensors(options_.init_from), trainer_.store());
    say(report_text(options_.init_from, *result_.init_from));
    trainer_.restart_average();
  }

  bool finished() const {
    return Interruption::signal() != 0 || (options_.max_steps > 0 && trainer_.steps() >= options_.max_steps);
  }

  std::int64_t epoch_steps() const { return static_cast<std::int64_t>(training_->plan().count()); }
  double epochs_done() const { return state_.epoch + static_cast<double>(state_.step) / static_cast<double>(epoch_steps()); }

  // From the step that the state is at: 0 unless the run was resumed.
  void train_epoch() {
    const std::int64_t steps = epoch_steps();
    training_->start(static_cast<std::uint64_t>(state_.epoch), static_cast<std::size_t>(state_.step));
    epoch_ = Stretch(options_.trainer.ensemble, state_.epoch_sums);
    row_ = Stretch(options_.trainer.ensemble, state_.row_sums);
    if (state_.step > 0) lr_ = schedule_.learning_rate(state_.epoch, state_.step - 1, steps);
    while (const data::Batch* batch = finished() ? nullptr : training_->next()) {
      lr_ = schedule_.learning_rate(state_.epoch, state_.step, steps);
      Tally counted(options_.trainer.ensemble);
      const StepResult loss = trainer_.step(*batch, lr_, &counted);
      row_.add(loss, batch->count, counted);
      epoch_.add(loss, batch->count, counted);
      ++state_.step;
      ++state_.steps;
      progress_.update({.epoch = state_.epoch + 1, .epochs = options_.epochs, .step = state_.step, .steps = steps,
                        .total_steps = options_.max_steps, .loss = loss.total, .lr = lr_,
                        .images_per_s = epoch_.images_per_s()},
                       seconds_since(start_));
      if (state_.step < steps) end_step();
    }
    epoch_row_ = epoch_.row(trainer_.steps(), epochs_done(), lr_);
  }

  void end_step() {
    if (state_.step % kLogEvery == 0) {
      log(row_.row(trainer_.steps(), epochs_done(), lr_));
      row_ = Stretch(options_.trainer.ensemble);
    }
    // What is due stays due while the disk is busy: training does not wait for it.
    if (options_.save_every.due(state_.steps - saved_step_, seconds_since(saved_at_)) && !checkpoints_.busy()) save_checkpoint();
  }

  void log(const MetricsRow& row) {
    log_->append(row);
    state_.metrics += to_json_line(row) + "\n";
  }

  void save_checkpoint() {
    state_.epoch_sums = epoch_.sums();
    state_.row_sums = row_.sums();
    state_.timings = timings_text(engine::timings());
    checkpoints_.save(state_, trainer_.store(), trainer_.average());
    saved_step_ = state_.steps;
    saved_at_ = Clock::now();
  }

  void save_interrupted() {
    if (!cut_) save_checkpoint();
    checkpoints_.wait();
    epoch_row_.kind = RowKind::stopped;
    if (state_.step > 0) log_->append(epoch_row_);  // cut short: not comparable, but not lost where the run is not resumed
    save_weights(directory_.last_weights(), options_.info, trainer_.evaluated(), trainer_.steps());
  }

  ExitAccuracies evaluate(data::Loader& loader, Confusion* confusion = nullptr) {
    loader.start(0);
    return trainer_.evaluate(loader, confusion);
  }

  // The last weights on the test half, and the files that say that the run is over.
  void end_folder() {
    if (test_ && result_.steps > 0) {
      Confusion confusion{.class_names = options_.info.class_names, .weights = directory_.last_weights().filename(), .data = options_.data};
      result_.test = evaluate(*test_, &confusion);
      write_confusion(directory_.confusion(), confusion);
    }
    write_file_atomically(directory_.result(), to_json(result_).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }

  void end_epoch() {
    // Cut short by --max-steps: a run that is resumed to more steps shall find it as it was in the middle.
    const bool whole = state_.step == epoch_steps();
    cut_ = !whole;
    if (cut_) save_checkpoint();
    epoch_row_.kind = whole ? RowKind::epoch : RowKind::cut;
    std::vector<ExitTableRow> rows{{"train", epoch_row_.accuracies}};
    if (data::Loader* judge = options_.best_on_test ? test_.get() : validation_.get()) {
      epoch_row_.accuracies = evaluate(*judge);
      rows.push_back({std::string(judged_on(options_)), epoch_row_.accuracies});
    }
    log(epoch_row_);
    progress_.clear();
    const std::string title =
        fmt::format("epoch {}/{}, loss {:.4f}, accuracy in %", state_.epoch + 1, options_.epochs, epoch_row_.loss);
    // As with the line of progress, a reader that went away must not end the training.
    std::fputs(exit_table(title, rows).c_str(), options_.tables);
    std::fflush(options_.tables);
    state_.history.push_back(epoch_row_.accuracies);
    ++state_.epoch;
    state_.step = 0;
    epoch_ = row_ = Stretch(options_.trainer.ensemble);
    state_.epoch_sums = state_.row_sums = {};
    const bool best = save_results(state_.history.back());
    const bool due = options_.save_every.each_epoch() || options_.save_every.due(state_.steps - saved_step_, seconds_since(saved_at_));
    if (whole && (best || due || finished() || state_.epoch == options_.epochs)) save_checkpoint();
  }

  // Best: by the ensemble, or by exit 4 where there is no other.
  static double score(const ExitAccuracies& accuracies) {
    return std::isnan(accuracies.ensemble) ? accuracies.exits[kExits - 1] : accuracies.ensemble;
  }

  // Whether these are the best.
  bool save_results(const ExitAccuracies& accuracies) {
    save_weights(directory_.last_weights(), options_.info, trainer_.evaluated(), trainer_.steps());
    const bool best = state_.best_epoch == 0 || score(accuracies) > score(state_.best);
    if (best) {
      state_.best = accuracies;
      state_.best_epoch = state_.epoch;
      state_.best_step = state_.steps;
      save_weights(directory_.best_weights(), options_.info, trainer_.evaluated(), trainer_.steps());
    }
    write_chart();
    return best;
  }

  void write_chart() const {
    const std::string title = fmt::format("{}: {} accuracy of each exit", options_.info.model, judged_on(options_));
    if (!state_.history.empty()) write_file_atomically(directory_.exits_chart(), line_chart_svg(exits_chart(title, state_.history)));
  }

  Interruption interruption_;  // also while the run is being prepared
  const RunOptions& options_;
  optim::Schedule schedule_;
  RunDirectory directory_;
  CheckpointStore checkpoints_;
  std::optional<Checkpoint> resumed_;  // until the run has begun
  Trainer trainer_;
  std::optional<MetricsLog> log_;
  Progress progress_;
  Clock::time_point start_ = Clock::now(), saved_at_ = Clock::now();
  std::unique_ptr<data::Loader> training_, validation_, test_;
  RunState state_;
  Stretch epoch_{options_.trainer.ensemble}, row_{options_.trainer.ensemble};
  MetricsRow epoch_row_;
  RunResult result_;
  std::int64_t saved_step_ = 0;
  bool cut_ = false;  // --max-steps ended the last epoch in its middle, and a checkpoint has that moment
  double lr_ = 0;
};
}  // namespace

std::string_view judged_on(const RunOptions& options) {
  if (options.best_on_test) return "test";
  return options.validation == data::Validation::held_out ? "validation" : "training";
}

RunResult run_training(const RunOptions& options, const data::Source& source, engine::Lanes& lanes) {
  return Run(options, source, lanes).go();
}
}  // namespace autodidact::train
