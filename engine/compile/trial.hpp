// engine/compile/trial.hpp: one candidate of one task, run on made-up numbers, to be timed and compared. Internal to engine/compile.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "engine/compile/emission.hpp"
#include "engine/program.hpp"
#include "engine/threads.hpp"

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

class Trial {
 public:
  // Emits the candidate and fills its operands: the same numbers for every candidate, however they are laid out. Its operands lie in
  // `memory`, which grows as it must, and which one trial at a time may use.
  Trial(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps, Lane& lane, Arena& memory);

  // In the lane that it was made in, or one like it.
  void pack(Lane& lane);  // the weights
  void run(Lane& lane);   // the tasks, on weights that are packed
  // Some numbers of what the pass is for, outputs or gradients: the same ones for every candidate.
  std::vector<float> results() const;

 private:
  bool written(const Operand& operand) const;
  void call(Lane& lane, const std::vector<Operand>& reads, const std::vector<Operand>& writes, const Kernel& kernel);
  template <class T = void>
  T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(memory_.data() + offset);
  }

  Arena& memory_;
  Emission emission_;
  TrialLayout layout_;
  std::vector<void*> reads_, writes_;
};

// The lanes that a task may run in, each with memory for a trial. What runs in narrow lanes is tried in all of them at once, as it will run beside
// its like: two lanes share caches and the way to memory.
class TrialGround {
 public:
  TrialGround(Lanes& lanes, bool wide, std::vector<Arena>& memory) : lanes_(lanes), memory_(memory), wide_(wide) {
    memory_.resize(std::max(memory_.size(), count()));
  }
  std::size_t count() const { return wide_ ? 1 : static_cast<std::size_t>(lanes_.layout().narrow_count); }
  // work(lane, its memory, which) in each of them; waits.
  void run(const std::function<void(Lane&, Arena&, std::size_t)>& work);

 private:
  Lanes& lanes_;
  std::vector<Arena>& memory_;
  bool wide_;
};

// Milliseconds that each candidate's tasks take, the smallest of a few runs on made-up numbers. Each distinct problem is measured once
// (engine/compile/timings.hpp). What cannot be the fastest, by its products alone (Candidate::products), is not run and has Timings::kNotRun. A candidate whose result disagrees with those of the others has Timings::kDropped, and a sentence in
// `dropped`. `again` makes the candidates once more: a primitive has the operands of one run at a time, so each lane has its own. `keeps`: of the forward
// candidate of each.
std::vector<double> measure(const Query& query, const std::vector<Candidate>& candidates, const std::function<std::vector<Candidate>()>& again,
                            const std::function<const std::vector<TensorType>&(const Candidate&)>& keeps, TrialGround& ground,
                            std::vector<std::string>& dropped);
}  // namespace autodidact::engine::compile_passes
