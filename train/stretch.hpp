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
    add(sums_.loss.exits.ce, loss.exits.ce);
    add(sums_.loss.exits.soft, loss.exits.soft);
    add(sums_.loss.exits.feature, loss.exits.feature);
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
            .accuracies = tally.accuracies(), .images_per_s = images_per_s(),
            .exit_losses = {over(loss.exits.ce, n), over(loss.exits.soft, n), over(loss.exits.feature, n)}, .time = unix_time()};
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
  // What is missing is missing in every step; before the first one there is nothing.
  void add(ExitLosses::List& sum, const ExitLosses::List& step) const {
    for (std::size_t k = 0; k < kExits; ++k) sum[k] = sums_.steps == 0 ? step[k] : sum[k] + step[k];
  }
  static ExitLosses::List over(ExitLosses::List sum, double n) {
    for (double& value : sum) value /= n;
    return sum;
  }
  // To the millisecond.
  static double unix_time() {
    using namespace std::chrono;
    return static_cast<double>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()) / 1000;
  }
  double seconds() const { return sums_.seconds + std::chrono::duration<double>(Clock::now() - start_).count(); }

  Clock::time_point start_ = Clock::now();
  Sums sums_;  // its tally is that of the beginning
};
}  // namespace autodidact::train
