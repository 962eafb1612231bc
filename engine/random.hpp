// engine/random.hpp: random numbers that are a function of what they are for, not of when they are drawn.
//
// Source    Philox4x64-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011
//           (library Random123). Bounded integers: Lemire 2019, arXiv:1805.10941. Normal: Box & Muller 1958.
// Why       A generator with a hidden state ties every number to the order of all draws before it, and so to threads, workers,
//           ranks and restarts. Here the key is (seed, purpose) and the counter (draw, epoch, sample): whoever asks, whenever,
//           gets the same number. Copying is cheap, there is nothing to save in a checkpoint.
// Same bits Integers and uniform() everywhere; normal() wherever log, cos and sin of the C library agree.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace autodidact::engine {

// What the numbers are for. Streams of different purposes are independent. The values are part of what a seed means:
// add at the end, never renumber.
enum class Purpose : std::uint64_t {
  parameters = 1,    // initial weights; sample = number of the parameter
  split = 2,         // which samples are held out for validation
  order = 3,         // the order of an epoch
  augmentation = 4,  // crop, flip, policy, cutout of one sample in one epoch
  mixing = 5,        // mixup, CutMix: what concerns a batch as a whole; sample = number of the batch
  synthetic = 6,     // made-up data
  probe = 7,         // directions of gradient checks, inputs of tests and benches
};

class Random {
 public:
  Random(std::uint64_t seed, Purpose purpose, std::uint64_t epoch = 0, std::uint64_t sample = 0)
      : key_{seed, static_cast<std::uint64_t>(purpose)}, epoch_(epoch), sample_(sample) {}

  // 64 uniform bits; every other draw is made of these.
  std::uint64_t bits() {
    if (used_ == block_.size()) refill();
    return block_[used_++];
  }

  // Uniform in [0, 1): a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  // Uniform in [low, high); low ≤ high, both finite.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  // Uniform integer in 0 … bound−1, every value equally likely. bound ≥ 1, else std::invalid_argument.
  std::uint64_t below(std::uint64_t bound);

  // True with the given probability (≤ 0: never, ≥ 1: always). One draw in every case.
  bool chance(double probability) { return uniform() < probability; }

  // Standard normal: mean 0, variance 1, at most 8.6 in magnitude.
  double normal();

 private:
  void refill();

  std::array<std::uint64_t, 2> key_;
  std::uint64_t epoch_, sample_;
  std::uint64_t draw_ = 0;  // blocks of four drawn so far
  std::array<std::uint64_t, 4> block_{};
  std::size_t used_ = 4;
  double spare_normal_ = 0;  // Box-Muller makes two at a time
  bool has_spare_ = false;
};

// The numbers 0 … count−1 in random order (Fisher-Yates), all orders equally likely. count ≤ 2^32, else std::invalid_argument.
std::vector<std::uint32_t> permutation(std::uint64_t seed, Purpose purpose, std::uint64_t epoch,
                                       std::size_t count);

}  // namespace autodidact::engine
