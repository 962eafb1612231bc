#include "optim/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <set>
#include <stdexcept>
#include <utility>

namespace autodidact::optim {
namespace {

constexpr std::array<std::pair<std::string_view, ScheduleKind>, 3> kNames{
    {{"recipe", ScheduleKind::recipe},
     {"cosine", ScheduleKind::cosine},
     {"constant", ScheduleKind::constant}}};

std::vector<int> within(const std::set<int>& milestones, int epochs) {
  std::vector<int> kept;
  std::copy_if(milestones.begin(), milestones.end(), std::back_inserter(kept),
               [&](int epoch) { return 1 <= epoch && epoch < epochs; });
  return kept;
}

// In 64 bits, so that no product overflows.
int fraction(int epochs, std::int64_t numerator, std::int64_t denominator) {
  return static_cast<int>(epochs * numerator / denominator);
}

void require_positive(double value, std::string_view name) {
  if (!(value > 0) || !std::isfinite(value))
    throw std::invalid_argument(fmt::format("{} must be above 0 and finite, got {}", name, value));
}
}  // namespace

ScheduleKind schedule_by_name(std::string_view name) {
  for (const auto& [known, kind] : kNames)
    if (known == name) return kind;
  throw std::invalid_argument(
      fmt::format("there is no schedule '{}': recipe, cosine or constant", name));
}

std::string_view name_of(ScheduleKind kind) { return kNames[static_cast<std::size_t>(kind)].first; }

std::vector<int> thirds_milestones(int epochs) {
  const int second = fraction(epochs, 2, 3);
  std::set<int> milestones{fraction(epochs, 1, 3), second};
  if (epochs - 10 > second) milestones.insert(epochs - 10);
  return within(milestones, epochs);
}

std::vector<int> thirds_milestones_compat(int epochs) {
  return within({fraction(epochs, 1, 3), fraction(epochs, 2, 3), epochs - 10}, epochs);
}

std::vector<int> scaled_milestones(int epochs) {
  return within({fraction(epochs, 75, 200), fraction(epochs, 130, 200), fraction(epochs, 180, 200)},
                epochs);
}

Schedule::Schedule(ScheduleOptions options) : options_(std::move(options)) {
  require_positive(options_.learning_rate, "learning rate");
  require_positive(options_.decay, "decay of the learning rate");
  if (options_.epochs < 1)
    throw std::invalid_argument(
        fmt::format("a schedule has at least 1 epoch, got {}", options_.epochs));
  if (options_.warmup_epochs < 0 || options_.warmup_epochs > options_.epochs)
    throw std::invalid_argument(fmt::format("warmup must last 0 to {} epochs, got {}",
                                            options_.epochs, options_.warmup_epochs));
  std::sort(options_.milestones.begin(), options_.milestones.end());
}

double Schedule::of_epoch(int epoch) const {
  const ScheduleOptions& o = options_;
  switch (o.kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::recipe: {
      const auto passed = std::upper_bound(o.milestones.begin(), o.milestones.end(), epoch);
      return o.learning_rate *
             std::pow(o.decay, static_cast<double>(passed - o.milestones.begin()));
    }
    case ScheduleKind::cosine: {
      if (epoch <= o.warmup_epochs) break;
      const double part =
          static_cast<double>(epoch - o.warmup_epochs) / (o.epochs - o.warmup_epochs);
      return o.learning_rate * (1 + std::cos(std::numbers::pi * part)) / 2;
    }
  }
  return o.learning_rate;
}

double Schedule::learning_rate(int epoch, std::int64_t step, std::int64_t steps) const {
  const double rate = of_epoch(std::min(epoch, options_.epochs - 1));
  const std::int64_t warm = options_.warmup_epochs * steps, now = epoch * steps + step;
  return now < warm ? rate * static_cast<double>(now + 1) / static_cast<double>(warm) : rate;
}
}  // namespace autodidact::optim
