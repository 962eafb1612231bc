// data/batch_plan.hpp: how an epoch is cut into batches. No sample is ever dropped.
//
//   1000 samples, batch 128             7 × 128, 104
//    257 samples, batch 128, min_last 2 128, 129      the last sample alone would leave a batch norm nothing to average
//
// min_last is the fewest samples that may stand alone at the end; fewer join the batch before. 1 for evaluation (a batch of one is
// as good as any there), 2 for training. So sizes are `batch`, or for the last one 1 … batch + min_last − 1.
#pragma once
#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace autodidact::data {

class BatchPlan {
 public:
  // samples, batch and min_last are all at least 1, and min_last ≤ batch + 1, else std::invalid_argument.
  BatchPlan(std::size_t samples, std::size_t batch, std::size_t min_last)
      : samples_(samples), batch_(batch) {
    if (samples < 1 || batch < 1 || min_last < 1 || min_last > batch + 1) {
      throw std::invalid_argument(
          "an epoch of " + std::to_string(samples) + " samples cannot be cut into batches of " +
          std::to_string(batch) + " with at least " + std::to_string(min_last) + " in the last");
    }
    const std::size_t rest = samples % batch;
    const bool alone = rest > 0 && (rest >= min_last || samples < batch);
    count_ = samples / batch + (alone ? 1 : 0);
  }

  std::size_t samples() const { return samples_; }
  std::size_t batch() const { return batch_; }
  std::size_t count() const { return count_; }  // of batches
  std::size_t begin(std::size_t index) const { return index * batch_; }
  std::size_t size(std::size_t index) const {
    return index + 1 < count_ ? batch_ : samples_ - begin(index);
  }
  std::size_t last() const { return size(count_ - 1); }
  std::size_t largest() const { return std::max(size(0), last()); }

 private:
  std::size_t samples_, batch_, count_;
};

}  // namespace autodidact::data
