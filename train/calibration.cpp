#include "train/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace autodidact::train {
namespace {
using Indices = std::vector<std::uint32_t>;

constexpr std::size_t kThresholds = 24;
constexpr double kAllLeave = 0;  // of a measure that is large where the exit is sure
constexpr int kEarly = model::kExits - 1;

struct Found {
  double ms = 0;
  std::int64_t correct = 0;
  ExitPolicy policy;
};

std::size_t best_class(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

class Search {
 public:
  Search(const Observations& observations, const ExitCosts& costs, std::int64_t batch)
      : seen_(observations), costs_(costs), batch_(batch), images_(observations.labels.size()) {
    for (int k = 1; k <= model::kExits; ++k) {
      auto& correct = correct_[static_cast<std::size_t>(k - 1)];
      for (std::size_t i = 0; i < images_; ++i) correct.push_back(is_right(i, best_class(seen_.full.of(k, i))));
    }
  }

  std::vector<Found> run(std::span<const Measure> measures) {
    for (int kept = 0; kept < 1 << kEarly; ++kept) {
      std::vector<int> exits;
      for (int k = 1; k <= kEarly; ++k)
        if (kept >> (k - 1) & 1) exits.push_back(k);
      prepare(exits);
      for (const Measure measure : measures) {
        if (exits.empty() && measure != measures.front()) continue;
        policy_ = {.measure = measure};
        measure_sureness(measure);
        Indices all(images_);
        std::iota(all.begin(), all.end(), 0U);
        descend(all, 0, 0);
      }
    }
    return std::move(found_);
  }

 private:
  bool is_right(std::size_t image, std::size_t best) const {
    return static_cast<std::int32_t>(best) == seen_.labels[image];
  }

  // The segments, what each costs for any number of images, and who is right when all kept exits decide together.
  void prepare(const std::vector<int>& exits) {
    exits_ = exits;
    ms_.clear();
    for (const Segment& segment : chain(exits)) {
      std::vector<double> ms{0};
      for (std::int64_t n = 1; n <= batch_; ++n) ms.push_back(costs_.segment_ms(segment, rung(batch_, n)));
      ms_.push_back(std::move(ms));
    }
    ExitPolicy together{.otherwise = Otherwise::ensemble};
    for (const int k : exits) together.exits.push_back({k, std::numeric_limits<double>::max()});
    ensemble_.clear();
    for (std::size_t i = 0; i < images_; ++i) ensemble_.push_back(is_right(i, answer_of(together, seen_.full, i).best()));
  }

  void measure_sureness(Measure measure) {
    for (const int k : exits_) {
      auto& sure = sure_[static_cast<std::size_t>(k - 1)];
      sure.resize(images_);
      for (std::size_t i = 0; i < images_; ++i) sure[i] = sureness(measure, seen_.full.of(k, i));
    }
  }

  double batches_ms(std::size_t segment, const Indices& there) const {
    double ms = 0;
    for (auto i = there.begin(); i != there.end();) {  // ascending
      const auto end = (*i / batch_ + 1) * batch_;
      const auto next = std::find_if(i, there.end(), [&](std::uint32_t image) { return image >= end; });
      ms += ms_[segment][static_cast<std::size_t>(next - i)];
      i = next;
    }
    return ms;
  }

  // Between two neighbours, so that rounding moves nobody across.
  std::vector<double> thresholds(int exit, const Indices& there) const {
    const auto& sure = sure_[static_cast<std::size_t>(exit - 1)];
    const bool small_is_sure = policy_.measure == Measure::entropy;
    std::vector<double> ranked;
    for (const std::uint32_t i : there) ranked.push_back(sure[i]);
    if (small_is_sure) std::sort(ranked.begin(), ranked.end());
    else std::sort(ranked.begin(), ranked.end(), std::greater<>());
    std::vector<double> chosen;
    for (std::size_t t = 1; t <= kThresholds; ++t) {
      const std::size_t leave = ranked.size() * t / kThresholds;
      if (leave == 0) continue;
      const double all = small_is_sure ? 1.01 * std::log(static_cast<double>(seen_.full.classes)) : kAllLeave;
      const double threshold = leave == ranked.size() ? all : (ranked[leave - 1] + ranked[leave]) / 2;
      if (chosen.empty() || chosen.back() != threshold) chosen.push_back(threshold);
    }
    return chosen;
  }

  void add(double ms, std::int64_t correct, Otherwise otherwise) {
    policy_.otherwise = otherwise;
    found_.push_back({ms, correct, policy_});
  }

  // `there` reach the segment that ends with the next kept exit.
  void descend(const Indices& there, double ms, std::int64_t correct) {
    const std::size_t depth = policy_.exits.size();
    ms += batches_ms(depth, there);
    const auto right_of = [&](const std::vector<std::uint8_t>& right) {
      return std::accumulate(there.begin(), there.end(), std::int64_t{0}, [&](std::int64_t n, std::uint32_t i) { return n + right[i]; });
    };
    if (depth == exits_.size()) {
      add(ms, correct + right_of(correct_[model::kExits - 1]), Otherwise::exit4);
      if (depth > 0) add(ms, correct + right_of(ensemble_), Otherwise::ensemble);
      return;
    }
    const auto exit = static_cast<std::size_t>(exits_[depth] - 1);
    for (const double threshold : thresholds(exits_[depth], there)) {
      Indices stay;
      std::int64_t right = 0;
      for (const std::uint32_t i : there) {
        if (passes(policy_.measure, sure_[exit][i], threshold)) right += correct_[exit][i];
        else stay.push_back(i);
      }
      if (stay.empty() && depth + 1 < exits_.size()) continue;  // as a policy that ends here, which has been looked at
      policy_.exits.push_back({exits_[depth], threshold});
      descend(stay, ms, correct + right);
      policy_.exits.pop_back();
    }
  }

  const Observations& seen_;
  const ExitCosts& costs_;
  std::int64_t batch_;
  std::size_t images_;
  std::array<std::vector<std::uint8_t>, model::kExits> correct_;
  std::vector<std::uint8_t> ensemble_;
  std::array<std::vector<double>, kEarly> sure_;
  std::vector<int> exits_;
  std::vector<std::vector<double>> ms_;  // per segment and number of images
  ExitPolicy policy_;
  std::vector<Found> found_;
};

// Those that no other is at least as fast and as accurate as.
std::vector<Found> frontier_of(std::vector<Found> found) {
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.ms != b.ms ? a.ms < b.ms : a.correct > b.correct;
  });
  std::vector<Found> best;
  for (Found& one : found)
    if (best.empty() || one.correct > best.back().correct) best.push_back(std::move(one));
  return best;
}

}  // namespace

void check(const CalibrationGoal& goal) {
  if (!(goal.accuracy_drop >= 0 && goal.accuracy_drop <= 100))
    throw std::invalid_argument(fmt::format("the accuracy drop must be 0 to 100 percentage points, got {}", goal.accuracy_drop));
  if (goal.budget_ms && !(*goal.budget_ms > 0))
    throw std::invalid_argument(fmt::format("the budget must be more than 0 ms an image, got {}", *goal.budget_ms));
}

namespace {
// Index into the frontier.
std::size_t pick(const std::vector<FrontierPoint>& frontier, const CalibrationGoal& goal, double exit4, double trunk_ms) {
  if (!goal.budget_ms) {
    for (std::size_t i = 0; i < frontier.size(); ++i)
      if (frontier[i].accuracy >= exit4 - goal.accuracy_drop - 1e-9) return i;
    return frontier.size() - 1;  // the trunk alone is always among what was searched, so this is not reached
  }
  std::size_t picked = frontier.size();
  for (std::size_t i = 0; i < frontier.size(); ++i)
    if (frontier[i].relative_time * trunk_ms <= *goal.budget_ms) picked = i;
  if (picked == frontier.size())
    throw std::invalid_argument(fmt::format("no policy answers within {} ms an image; the fastest takes {:.4f}", *goal.budget_ms,
                                            frontier.front().relative_time * trunk_ms));
  return picked;
}

ExitAccuracies full_accuracies(const Observations& observations) {
  const auto images = observations.labels.size();
  std::array<std::int64_t, model::kExits> right{};
  std::int64_t together = 0;
  ExitPolicy all{.exits = {{1, std::numeric_limits<double>::max()}, {2, std::numeric_limits<double>::max()}, {3, std::numeric_limits<double>::max()}},
                 .otherwise = Otherwise::ensemble};
  for (std::size_t i = 0; i < images; ++i) {
    const auto label = static_cast<std::size_t>(observations.labels[i]);
    for (int k = 1; k <= model::kExits; ++k) right[static_cast<std::size_t>(k - 1)] += best_class(observations.full.of(k, i)) == label;
    together += answer_of(all, observations.full, i).best() == label;
  }
  const auto percent = [&](std::int64_t n) { return 100.0 * static_cast<double>(n) / static_cast<double>(images); };
  ExitAccuracies accuracies;
  for (std::size_t k = 0; k < model::kExits; ++k) accuracies.exits[k] = percent(right[k]);
  accuracies.ensemble = percent(together);
  return accuracies;
}
}  // namespace

std::vector<int> departures(const ExitPolicy& policy, const CascadeResult& full) {
  std::vector<int> left_at(full.left_at.size(), model::kTeacher);
  const std::vector<int> early = policy.early_exits();
  for (std::size_t i = 0; i < left_at.size(); ++i)
    for (const int k : early)
      if (leaves(policy, k, full.of(k, i))) {
        left_at[i] = k;
        break;
      }
  return left_at;
}

Observations observe(Trainer& trainer, data::Loader& loader) {
  Observations seen;
  seen.full.classes = trainer.programs().network().classes;
  while (const data::Batch* batch = loader.next()) {
    engine::Program& program = trainer.programs().inference(static_cast<std::int64_t>(batch->count));
    Trainer::feed(program, *batch);
    trainer.executor().run(program, trainer.store());
    require_finite_logits(program);
    for (int k = 1; k <= model::kExits; ++k) {
      const auto logits = program.view(fmt::format("logits/{}", k));
      auto& all = seen.full.logits[static_cast<std::size_t>(k - 1)];
      all.insert(all.end(), logits.begin(), logits.end());
    }
    seen.labels.insert(seen.labels.end(), batch->labels.begin(), batch->labels.end());
  }
  seen.full.left_at.assign(seen.labels.size(), model::kTeacher);
  return seen;
}

Calibration calibrate(const Observations& observations, const ExitCosts& costs, std::int64_t batch, const CalibrationGoal& goal) {
  check(goal);
  if (observations.labels.empty()) throw std::invalid_argument("there are no images to calibrate on");
  const auto images = static_cast<std::int64_t>(observations.labels.size());
  const auto n = static_cast<double>(images);
  double trunk_ms = 0;
  for (std::int64_t i = 0; i < images; i += batch) trunk_ms += costs.trunk_ms(std::min(batch, images - i));

  Calibration result;
  for (Found& found : frontier_of(Search(observations, costs, batch).run(goal.measures)))
    result.frontier.push_back({found.ms / trunk_ms, 100 * static_cast<double>(found.correct) / n, std::move(found.policy)});
  PolicyValidation& validation = result.validation;
  validation.images = images;
  validation.full = full_accuracies(observations);
  result.chosen = result.frontier[pick(result.frontier, goal, validation.full.exits[model::kExits - 1], trunk_ms / n)];
  validation.accuracy = result.chosen.accuracy;
  const std::vector<int> left_at = departures(result.chosen.policy, observations.full);
  for (int k = 1; k <= model::kExits; ++k)
    validation.share_per_exit[static_cast<std::size_t>(k - 1)] = static_cast<double>(std::count(left_at.begin(), left_at.end(), k)) / n;
  validation.trunk_ms_per_image = trunk_ms / n;
  validation.ms_per_image = result.chosen.relative_time * trunk_ms / n;
  return result;
}
}  // namespace autodidact::train
