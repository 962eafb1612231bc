#include "train/training_run.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>

#include "train/atomic_file.hpp"
#include "train/chart.hpp"
#include "train/interruption.hpp"
#include "train/metrics_log.hpp"
#include "train/progress.hpp"

namespace autodidact::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Sums of what a stretch of steps showed.
class Stretch {
 public:
  explicit Stretch(Ensemble ensemble) : tally(ensemble) {}
  void add(const StepLoss& loss, std::size_t images) {
    ++steps_;
    images_ += static_cast<double>(images);
    sum_.total += loss.total;
    sum_.ce += loss.ce;
    sum_.soft += loss.soft;
    sum_.feature += loss.feature;
  }
  MetricsRow row(std::int64_t step, double epoch, double lr) const {
    const double n = std::max<double>(1, static_cast<double>(steps_));
    return {.step = step, .epoch = epoch, .lr = lr, .loss = sum_.total / n, .loss_ce = sum_.ce / n,
            .loss_soft = sum_.soft / n, .loss_feature = sum_.feature / n, .accuracies = tally.accuracies(),
            .images_per_s = images_ / seconds_since(start_)};
  }
  double images_per_s() const { return images_ / seconds_since(start_); }

  Tally tally;

 private:
  Clock::time_point start_ = Clock::now();
  StepLoss sum_;
  std::int64_t steps_ = 0;
  double images_ = 0;
};

// Steps between two rows of metrics.jsonl inside an epoch.
constexpr std::int64_t kLogEvery = 50;

class Run {
 public:
  Run(const RunOptions& options, const data::Source& source, engine::Lanes& lanes)
      : options_(options),
        schedule_(options.schedule),
        directory_(options.directory, options.existing),
        trainer_(options.trainer, lanes) {
    make_loaders(source);
    if (!options.init_from.empty()) initialise_from_file();
    trainer_.prepare(static_cast<std::int64_t>(training_->plan().size(0)));
    interruption_.emplace();
    directory_.begin();
    log_.emplace(directory_.metrics());
    write_file_atomically(directory_.config(), options.config_text);
  }

  RunResult go() {
    start_ = Clock::now();
    for (epoch_ = 0; epoch_ < options_.epochs && !finished(); ++epoch_) {
      train_epoch();
      if (Interruption::signal() == 0) end_epoch();
      else if (trainer_.steps() > result_.steps) log_->append(epoch_row_);  // cut short: not comparable, but not lost
      result_.steps = trainer_.steps();
    }
    progress_.clear();
    if (Interruption::signal() != 0)
      save_weights(directory_.last_weights(), options_.info, trainer_.store(), trainer_.steps());
    result_.signal = Interruption::signal();
    if (test_ && result_.steps > 0 && result_.signal == 0) result_.test = evaluate(*test_);
    return result_;
  }

 private:
  void make_loaders(const data::Source& source) {
    const data::Split split = data::split_validation(source.train->size(), options_.validation, options_.trainer.seed);
    const auto part = [&](const std::vector<std::uint32_t>& indices) {
      return std::make_shared<data::SubsetDataset>(source.train, indices);
    };
    const auto plain = [&](const data::DatasetPointer& dataset) {
      return std::make_unique<data::Loader>(
          dataset, data::Augmentation({.kind = data::Augment::none}, dataset->shape(), *source.normalisation),
          data::Loader::Options{.batch = options_.batch, .min_last = 1, .order = data::Order::sequential});
    };
    const data::DatasetPointer training = part(split.train);
    training_ = std::make_unique<data::Loader>(
        training, data::Augmentation(options_.augment, training->shape(), *source.normalisation),
        data::Loader::Options{.batch = options_.batch, .seed = options_.trainer.seed, .mixing = options_.mixing});
    if (!split.validation.empty()) validation_ = plain(part(split.validation));
    if (source.test) test_ = plain(source.test);
    if (options_.best_on_test && !test_)
      throw std::invalid_argument("the best epoch cannot be picked on the test half of data that has none");
  }

  void initialise_from_file() {
    const LoadReport report = load_weights(read_safetensors(options_.init_from), trainer_.store(), true);
    say(fmt::format("{}: {} tensors of the network are not in it and start fresh, {} of its tensors are not needed\n",
                    options_.init_from.string(), report.missing.size(), report.ignored.size()));
    for (const std::string& name : report.missing) say(fmt::format("  fresh: {}\n", name));
    for (const std::string& name : report.ignored) say(fmt::format("  ignored: {}\n", name));
  }

  bool finished() const {
    return Interruption::signal() != 0 || (options_.max_steps > 0 && trainer_.steps() >= options_.max_steps);
  }

  void train_epoch() {
    const auto steps = static_cast<std::int64_t>(training_->plan().count());
    const auto epochs_done = [&](std::int64_t step) { return epoch_ + static_cast<double>(step) / static_cast<double>(steps); };
    training_->start(static_cast<std::uint64_t>(epoch_));
    Stretch epoch(options_.trainer.ensemble), stretch(options_.trainer.ensemble);
    std::int64_t step = 0;
    while (const data::Batch* batch = finished() ? nullptr : training_->next()) {
      lr_ = schedule_.learning_rate(epoch_, step, steps);
      const StepLoss loss = trainer_.step(*batch, lr_, &stretch.tally);
      stretch.add(loss, batch->count);
      epoch.add(loss, batch->count);
      epoch.tally.add(trainer_.programs().training(static_cast<std::int64_t>(batch->count)), batch->labels);
      ++step;
      progress_.update({.epoch = epoch_ + 1, .epochs = options_.epochs, .step = step, .steps = steps,
                        .total_steps = options_.max_steps, .loss = loss.total, .lr = lr_,
                        .images_per_s = epoch.images_per_s()},
                       seconds_since(start_));
      if (step % kLogEvery == 0 && step < steps) {
        log_->append(stretch.row(trainer_.steps(), epochs_done(step), lr_));
        stretch = Stretch(options_.trainer.ensemble);
      }
    }
    epoch_row_ = epoch.row(trainer_.steps(), epochs_done(step), lr_);
  }

  ExitAccuracies evaluate(data::Loader& loader) {
    loader.start(0);
    return trainer_.evaluate(loader);
  }

  void end_epoch() {
    std::vector<ExitTableRow> rows{{"train", epoch_row_.accuracies}};
    if (data::Loader* judge = options_.best_on_test ? test_.get() : validation_.get()) {
      epoch_row_.accuracies = evaluate(*judge);
      rows.push_back({std::string(judged_on(options_)), epoch_row_.accuracies});
    }
    log_->append(epoch_row_);
    progress_.clear();
    const std::string title =
        fmt::format("epoch {}/{}, loss {:.4f}, accuracy in %", epoch_ + 1, options_.epochs, epoch_row_.loss);
    // As with the line of progress, a reader that went away must not end the training.
    std::fputs(exit_table(title, rows).c_str(), options_.tables);
    std::fflush(options_.tables);
    history_.push_back(epoch_row_.accuracies);
    save(history_.back());
  }

  // Best: by the ensemble, or by exit 4 where there is no other.
  static double score(const ExitAccuracies& accuracies) {
    return std::isnan(accuracies.ensemble) ? accuracies.exits[kExits - 1] : accuracies.ensemble;
  }

  void save(const ExitAccuracies& accuracies) {
    save_weights(directory_.last_weights(), options_.info, trainer_.store(), trainer_.steps());
    if (result_.best_epoch == 0 || score(accuracies) > score(result_.best)) {
      result_.best = accuracies;
      result_.best_epoch = epoch_ + 1;
      save_weights(directory_.best_weights(), options_.info, trainer_.store(), trainer_.steps());
    }
    const std::string title = fmt::format("{}: {} accuracy of each exit", options_.info.model, judged_on(options_));
    write_file_atomically(directory_.exits_chart(), line_chart_svg(exits_chart(title, history_)));
  }

  const RunOptions& options_;
  optim::Schedule schedule_;
  RunDirectory directory_;
  Trainer trainer_;
  std::optional<Interruption> interruption_;
  std::optional<MetricsLog> log_;
  Progress progress_;
  Clock::time_point start_ = Clock::now();
  std::unique_ptr<data::Loader> training_, validation_, test_;
  MetricsRow epoch_row_;
  std::vector<ExitAccuracies> history_;
  RunResult result_;
  int epoch_ = 0;
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
