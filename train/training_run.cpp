#include "train/training_run.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "train/atomic_file.hpp"
#include "train/chart.hpp"
#include "train/errors.hpp"
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
  double mean_loss() const { return sum_.total / std::max<double>(1, static_cast<double>(steps_)); }
  bool empty() const { return steps_ == 0; }
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
        directory_(options.directory, options.existing),
        trainer_(options.trainer, lanes),
        schedule_(options.schedule),
        log_(directory_.metrics()) {
    make_loaders(source);
    if (!options.init_from.empty()) initialise_from_file();
    write_file_atomically(directory_.config(), options.config_text);
  }

  RunResult go() {
    for (epoch_ = 0; epoch_ < options_.epochs && !finished(); ++epoch_) {
      train_epoch();
      end_epoch();
    }
    progress_.clear();
    if (test_ && result_.steps > 0) result_.test = evaluate(*test_);
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
  }

  void initialise_from_file() {
    const LoadReport report = load_weights(read_safetensors(options_.init_from), trainer_.store(), true);
    fmt::print(stderr, "{}: {} tensors of the network are not in it and start fresh, {} of its tensors are not needed\n",
               options_.init_from.string(), report.missing.size(), report.ignored.size());
    for (const std::string& name : report.missing) fmt::print(stderr, "  fresh: {}\n", name);
    for (const std::string& name : report.ignored) fmt::print(stderr, "  ignored: {}\n", name);
  }

  bool finished() const { return options_.max_steps > 0 && trainer_.steps() >= options_.max_steps; }

  void train_epoch() {
    const auto steps = static_cast<std::int64_t>(training_->plan().count());
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
      if (step % kLogEvery == 0) {
        log_.append(stretch.row(trainer_.steps(), epoch_ + static_cast<double>(step) / static_cast<double>(steps), lr_));
        stretch = Stretch(options_.trainer.ensemble);
      }
    }
    train_row_ = epoch.row(trainer_.steps(), epoch_ + 1, lr_);
    train_row_.split = Split::train;
    log_.append(train_row_);
  }

  ExitAccuracies evaluate(data::Loader& loader) {
    loader.start(0);
    return trainer_.evaluate(loader);
  }

  void end_epoch() {
    result_.steps = trainer_.steps();
    data::Loader* judge = options_.best_on_test ? test_.get() : validation_.get();
    ExitAccuracies accuracies;
    std::vector<ExitTableRow> rows{{"train", train_row_.accuracies}};
    if (judge) {
      accuracies = evaluate(*judge);
      rows.push_back({options_.best_on_test ? "test" : "validation", accuracies});
      MetricsRow row = train_row_;
      row.split = Split::validation;
      row.loss = row.loss_ce = row.loss_soft = row.loss_feature = row.images_per_s = kMissing;
      row.accuracies = accuracies;
      log_.append(row);
    }
    progress_.clear();
    fmt::print(options_.tables, "{}", exit_table(fmt::format("epoch {}/{}, loss {:.4f}, accuracy in %", epoch_ + 1, options_.epochs,
                                            train_row_.loss), rows));
    std::fflush(options_.tables);
    history_.push_back(judge ? accuracies : train_row_.accuracies);
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
    const char* where = options_.best_on_test ? "test" : validation_ ? "validation" : "training";
    const std::string title = fmt::format("{}: {} accuracy of each exit", options_.info.model, where);
    write_file_atomically(directory_.exits_chart(), line_chart_svg(exits_chart(title, history_)));
  }

  const RunOptions& options_;
  RunDirectory directory_;
  Trainer trainer_;
  optim::Schedule schedule_;
  MetricsLog log_;
  Progress progress_;
  Clock::time_point start_ = Clock::now();
  std::unique_ptr<data::Loader> training_, validation_, test_;
  MetricsRow train_row_;
  std::vector<ExitAccuracies> history_;
  RunResult result_;
  int epoch_ = 0;
  double lr_ = 0;
};
}  // namespace

RunResult run_training(const RunOptions& options, const data::Source& source, engine::Lanes& lanes) {
  return Run(options, source, lanes).go();
}
}  // namespace autodidact::train
