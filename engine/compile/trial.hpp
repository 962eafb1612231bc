// engine/compile/trial.hpp: one candidate of one task, run on made-up numbers, to be timed and compared. Internal to engine/compile.
#pragma once
#include <map>
#include <vector>

#include "engine/compile/emission.hpp"

namespace autodidact::engine::compile_passes {

// Where the operands of an emission lie in the memory of the trials, and of what type they are.
class TrialLayout {
 public:
  TrialLayout(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps, const Emission& emission);

  struct Place {
    std::size_t offset;
    TensorType type;
  };
  const std::map<Operand, Place>& places() const { return places_; }
  std::size_t at(const Operand& operand) const { return places_.at(operand).offset; }
  std::size_t scratch() const { return end_; }
  std::size_t bytes() const { return end_ + aligned(scratch_); }

 private:
  std::map<Operand, Place> places_;
  std::size_t end_ = 0, scratch_ = 0;
};

// One trial lives at a time: all share one piece of memory, which end_trials gives back.
class Trial {
 public:
  // Emits the candidate and fills its operands: the same numbers for every candidate, however they are laid out.
  Trial(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps, Lane& lane);

  void pack();  // the weights
  void run();   // the tasks, on weights that are packed
  // Some numbers of what the pass is for, outputs or gradients: the same ones for every candidate.
  std::vector<float> results() const;

 private:
  bool written(const Operand& operand) const;
  void call(const std::vector<Operand>& reads, const std::vector<Operand>& writes, const Kernel& kernel);

  Lane& lane_;
  Emission emission_;
  TrialLayout layout_;
  std::vector<void*> reads_, writes_;
};
void end_trials();
}  // namespace autodidact::engine::compile_passes
