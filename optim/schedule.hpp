// optim/schedule.hpp: the learning rate of every step of a run.
//
//   recipe     η·γ^(number of milestones passed); γ = 1/10. Changes at the start of an epoch, as torch's MultiStepLR stepped
//              once an epoch.
//   cosine     η·½(1 + cos(π·(e−W)/(E−W))) in epoch e: torch's CosineAnnealingLR(T_max = E−W) stepped once an epoch, as the
//              published PyTorch recipes use it; the last epoch still learns. Loshchilov & Hutter 2017, arXiv:1608.03983.
//   constant   η
//
// Warmup of W epochs multiplies each by (s+1)/(W·S) in step s of the run while s < W·S (S steps an epoch): a straight line
// up to 1, step by step, because at a large batch the first epoch is where a jump hurts. Goyal et al. 2017, arXiv:1706.02677.
// Milestones are epochs of the run, 0 being the first, with or without warmup.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace autodidact::optim {

enum class ScheduleKind : std::uint8_t { recipe, cosine, constant };
// Throws std::invalid_argument with the list of names.
ScheduleKind schedule_by_name(std::string_view name);
std::string_view name_of(ScheduleKind kind);

// Epochs at whose start the learning rate falls, in order, each within 1 … E−1: at 0 it would not be a fall but another start.
// Recipes `seed`, `none`, `baseline`: ⌊E/3⌋, ⌊2E/3⌋, and E−10 where that is later.
std::vector<int> thirds_milestones(int epochs);
// The same three as the seed's program takes them: a set, in which E−10 may come first (E = 11 … 13).
std::vector<int> thirds_milestones_compat(int epochs);
// Recipes `iccv2019`, `scan`: 75, 130, 180 of 200, scaled by E/200 and rounded down.
std::vector<int> scaled_milestones(int epochs);

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::recipe;
  double learning_rate = 0.1;
  int epochs = 250;
  int warmup_epochs = 0;
  std::vector<int> milestones = {};  // of `recipe`
  double decay = 0.1;                // of `recipe`, at each milestone
};

class Schedule {
 public:
  // Throws std::invalid_argument for a rate or a decay that is not positive and finite, epochs < 1, or a warmup outside 0 … E.
  explicit Schedule(ScheduleOptions options);

  // Of step `step` of `steps` in epoch `epoch`, all counted from 0. An epoch past the end keeps the rate of the last one.
  double learning_rate(int epoch, std::int64_t step, std::int64_t steps) const;
  const ScheduleOptions& options() const { return options_; }

 private:
  double of_epoch(int epoch) const;
  ScheduleOptions options_;
};
}  // namespace autodidact::optim
