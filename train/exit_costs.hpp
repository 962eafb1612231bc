// train/exit_costs.hpp: what it costs on this machine to answer at an exit, as measured, and what a batch will take.
//
// Stages and heads are timed apart, at every rung of the ladder, in turn and several times; the median counts. What a cascade takes is
// the sum over its segments: to hand the images over, the stages, the exit. Nothing is measured for a policy as a whole, so all of them
// can be compared by arithmetic (train/calibration.hpp).
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "train/cascade.hpp"

namespace autodidact::train {

// Milliseconds of one batch of `images`. Element k−1: stage k; exit k on its output; the input of stage k being put together.
struct RungCosts {
  std::int64_t images = 1;
  double trunk = 0;  // trunk and fc4 alone, as one program
  std::array<double, model::kExits> hand_over{}, stage{}, head{};
  bool operator==(const RungCosts&) const = default;
};

class ExitCosts {
 public:
  // At least one rung, in any order; std::invalid_argument for none, two of one size, or a time that is no positive number.
  explicit ExitCosts(std::vector<RungCosts> rungs);
  std::span<const RungCosts> rungs() const { return rungs_; }  // ascending

  // Between two rungs by a straight line; beyond the largest in proportion.
  double trunk_ms(std::int64_t images) const;
  double segment_ms(const Segment& segment, std::int64_t images) const;
  // A whole batch of a cascade with this ladder, from where its images left.
  double batch_ms(std::span<const Segment> chain, std::int64_t batch, std::span<const int> left_at) const;
  bool operator==(const ExitCosts&) const = default;

 private:
  template <class Value>
  double at(std::int64_t images, const Value& value) const;
  std::vector<RungCosts> rungs_;
};

// `images`: at least `batch` of them, normalised, such as the network was trained on.
ExitCosts measure_costs(Programs& programs, engine::Executor& executor, engine::ParameterStore& store, std::span<const float> images,
                        std::int64_t batch);
}  // namespace autodidact::train
