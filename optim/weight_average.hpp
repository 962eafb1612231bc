// optim/weight_average.hpp: the exponential moving average of what is learned, which is often the better network.
//
// Source    Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; exponential, with a memory that grows at
//           the start: tf.train.ExponentialMovingAverage(decay, num_updates).
// Symbols   w a parameter or a running statistic after a step, a its average (starts as w before the first), D decay, t = 0, 1, …
//           updates before this one
//
//   d ← min(D, (1+t)/(10+t))          so that a short run does not average its random start in
//   a ← a + (1−d)·(w − a)             what does not change is its own average, to the bit
//
// Running statistics are averaged like parameters (as torch's AveragedModel with use_buffers and timm's ModelEma do): those of the last
// weights would not fit activations that averaged weights produce.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/parameter_store.hpp"
#include "engine/threads.hpp"
#include "optim/parameter_chunks.hpp"

namespace autodidact::optim {

// Throws std::invalid_argument unless 0 ≤ decay < 1.
void check_average_decay(double decay);

class WeightAverage {
 public:
  // Starts as a copy of the store. Throws as check_average_decay does.
  WeightAverage(const engine::ParameterStore& store, double decay);

  // After a step was committed. `before`: t. One sweep over all parameters and statistics; the result does not depend on the lane.
  void update(engine::Lane& lane, const engine::ParameterStore& store, std::int64_t before);
  void copy(const engine::ParameterStore& store);

  // Values and statistics only.
  engine::ParameterStore& store() { return average_; }
  const engine::ParameterStore& store() const { return average_; }

 private:
  double decay_;
  std::vector<Chunk> parameters_, states_;
  engine::ParameterStore average_;
};
}  // namespace autodidact::optim
