// train/stretch.hpp: sums of what a stretch of steps showed, from which a row of metrics.jsonl is made.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

#include "train/metrics_log.hpp"
#include "train/tally.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

class Stretch {
 public:
  // All that it has seen, for a checkpoint and back. `seconds` count on where they stopped, whatever lay between.
  struct Sums {
    StepLoss loss = {};
    double gradient_norm = 0, clipped = 0;  // clipped: steps; kMissing where there is no bound
    std::int64_t steps = 0;
    double images = 0;
    double seconds = 0;
    Tally::Counts tally = {};
  };

  explicit Stretch(Ensemble ensemble) : tally(ensemble) {}
  Stretch(Ensemble ensemble, const Sums& before) : tally(ensemble), sums_(before) { tally.restore(before.tally); }

  void add(const StepResult& loss, std::size_t images, const Tally& counted) {
    tally.add(counted);
    ++sums_.steps;
    sums_.images += static_cast<double>(images);
    sums_.loss.total += loss.total;
    sums_.loss.ce += loss.ce;
    sums_.loss.soft += loss.soft;
    sums_.loss.feature += loss.feature;
    sums_.gradient_norm += loss.gradient_norm;
    sums_.clipped += loss.clipped;
  }
  MetricsRow row(std::int64_t step, double epoch, double lr) const {
    const double n = std::max<double>(1, static_cast<double>(sums_.steps));
    const StepLoss& loss = sums_.loss;
    return {.step = step, .epoch = epoch, .lr = lr, .loss = loss.total / n, .loss_ce = loss.ce / n, .loss_soft = loss.soft / n,
            .loss_feature = loss.feature / n, .gradient_norm = sums_.gradient_norm / n, .clipped = 100 * sums_.clipped / n,
            .accuracies = tally.accuracies(), .images_per_s = images_per_s()};
  }
  double images_per_s() const { return sums_.images / seconds(); }
  Sums sums() const {
    Sums sums = sums_;
    sums.seconds = seconds();
    sums.tally = tally.counts();
    return sums;
  }

  Tally tally;

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return sums_.seconds + std::chrono::duration<double>(Clock::now() - start_).count(); }

  Clock::time_point start_ = Clock::now();
  Sums sums_;  // its tally is that of the beginning
};
}  // namespace autodidact::train
