#include "train/policy_evaluation.hpp"

#include <algorithm>
#include <chrono>

#include "train/median.hpp"

namespace autodidact::train {
namespace {

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class PolicyTrial {
 public:
  PolicyTrial(Trainer& trainer, const PolicyFile& file, const PolicyTrialOptions& options)
      : policy_(file.policy),
        times_(file.times),
        options_(options),
        chain_(chain(policy_.early_exits())),
        cascade_(trainer.programs(), trainer.executor(), trainer.store(),
                 {.exits = policy_.early_exits(), .batch = options.batch, .compact = options.compact}),
        trunk_(trainer.programs(), trainer.executor(), trainer.store(), {.exits = {}, .batch = options.batch, .compact = false}),
        trunk_s_(static_cast<std::size_t>(options.pairs)),
        policy_s_(trunk_s_) {}

  void add(const data::Batch& batch, bool timed) {
    const CascadeResult& result = run(batch);  // compiles and packs what the timed runs need
    for (std::size_t i = 0; i < batch.count; ++i) {
      const Answer answer = answer_of(policy_, result, i);
      ++left_[static_cast<std::size_t>(answer.exit - 1)];
      ensemble_ += answer.ensemble;
      correct_ += static_cast<std::int32_t>(answer.best()) == batch.labels[i];
    }
    images_ += static_cast<std::int64_t>(batch.count);
    if (!timed || options_.pairs == 0) return;
    timed_ += static_cast<std::int64_t>(batch.count);
    if (times_) {
      predicted_policy_ms_ += times_->batch_ms(chain_, options_.batch, result.left_at);
      predicted_trunk_ms_ += times_->trunk_ms(static_cast<std::int64_t>(batch.count));
    }
    time(batch);
  }

  PolicyOutcome outcome() const {
    PolicyOutcome outcome{.images = images_, .timed_images = timed_};
    if (images_ == 0) return outcome;
    const auto n = static_cast<double>(images_);
    outcome.accuracy = 100 * static_cast<double>(correct_) / n;
    for (std::size_t k = 0; k < left_.size(); ++k) outcome.share_per_exit[k] = static_cast<double>(left_[k]) / n;
    outcome.ensemble_share = static_cast<double>(ensemble_) / n;
    if (timed_ == 0) return outcome;
    for (std::size_t p = 0; p < trunk_s_.size(); ++p) outcome.speedups.push_back(trunk_s_[p] / policy_s_[p]);
    outcome.speedup_measured = median(outcome.speedups);
    if (times_ && options_.compact) outcome.speedup_predicted = predicted_trunk_ms_ / predicted_policy_ms_;
    outcome.ms_per_image = 1000 * median(policy_s_) / static_cast<double>(timed_);
    outcome.trunk_ms_per_image = 1000 * median(trunk_s_) / static_cast<double>(timed_);
    return outcome;
  }

 private:
  const CascadeResult& run(const data::Batch& batch) {
    return cascade_.run(batch.images, [&](int exit, std::size_t, std::span<const float> logits) { return leaves(policy_, exit, logits); });
  }
  void run_trunk(const data::Batch& batch) {
    trunk_.run(batch.images, [](int, std::size_t, std::span<const float>) { return false; });
  }

  // Both in turn, each first every other time: whatever slows the machine for a while slows both.
  void time(const data::Batch& batch) {
    run_trunk(batch);
    for (std::size_t p = 0; p < trunk_s_.size(); ++p)
      for (const bool trunk : {p % 2 == 0, p % 2 != 0}) {
        if (trunk) trunk_s_[p] += seconds_of([&] { run_trunk(batch); });
        else policy_s_[p] += seconds_of([&] { run(batch); });
      }
  }

  const ExitPolicy& policy_;
  const std::optional<ExitCosts>& times_;
  PolicyTrialOptions options_;
  std::vector<Segment> chain_;
  Cascade cascade_, trunk_;
  std::array<std::int64_t, model::kExits> left_{};
  std::int64_t images_ = 0, timed_ = 0, correct_ = 0, ensemble_ = 0;
  double predicted_policy_ms_ = 0, predicted_trunk_ms_ = 0;
  std::vector<double> trunk_s_, policy_s_;  // one a pair
};
}  // namespace

PolicyOutcome evaluate_policy(Trainer& trainer, data::Loader& loader, const PolicyFile& file, const PolicyTrialOptions& options) {
  PolicyTrial trial(trainer, file, options);
  const auto batches = static_cast<std::int64_t>(loader.plan().count());
  const std::int64_t wanted = options.timed_images == 0 ? batches : std::max<std::int64_t>(options.timed_images / options.batch, 1);
  const std::int64_t every = (batches + wanted - 1) / wanted;
  std::int64_t index = 0;
  while (const data::Batch* batch = loader.next()) trial.add(*batch, index++ % every == 0);
  return trial.outcome();
}
}  // namespace autodidact::train
