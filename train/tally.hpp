// train/tally.hpp: counts which exits got which images right.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "engine/program.hpp"
#include "train/confusion.hpp"
#include "train/exit_accuracies.hpp"

namespace autodidact::train {

// Whose logits the ensemble averages: all four exits, or as the seed's program does while it trains, the deepest three
// (divided by four, which changes no arg-max).
enum class Ensemble : std::uint8_t { all, deepest_three };

class Tally {
 public:
  explicit Tally(Ensemble ensemble = Ensemble::all) : ensemble_(ensemble) {}

  // Reads "logits/1" … "logits/4" (N,Q) of a program that has just run; exits that it lacks stay missing, and so does the
  // ensemble then. Counts into `confusion` too if given. Allocates nothing but that one's memory.
  void add(const engine::Program& program, std::span<const std::int32_t> labels, Confusion* confusion = nullptr);
  // What another one, of the same exits, has counted.
  void add(const Tally& other);
  void clear() { *this = Tally(ensemble_); }
  std::int64_t images() const { return counts_.images; }
  ExitAccuracies accuracies() const;

  // All that it has counted, for a checkpoint and back.
  struct Counts {
    std::int64_t images = 0;
    std::array<std::int64_t, kExits> correct{};
    std::array<bool, kExits> present{};
    std::int64_t ensemble_correct = 0;
    bool operator==(const Counts&) const = default;
  };
  const Counts& counts() const { return counts_; }
  void restore(const Counts& counts) { counts_ = counts; }

 private:
  Ensemble ensemble_;
  Counts counts_;
};
}  // namespace autodidact::train
