// train/batch_gradient.hpp: the gradient of a batch's loss, computed whole or in micro-batches that need less memory.
//
// Micro-batch i of K holds images ⌊N·i/K⌋ … ⌊N·(i+1)/K⌋−1, so their sizes differ by one at most. Losses are means over all N (1/N is an
// input of every program), so gradients add up: the first is copied to the store's accumulated section, others are added there, and
// the last program's gradients get the sum, in the order of the micro-batches.
//
// The norm of the batch's feature difference, ‖a−b‖ = √S, is not a sum over samples: its gradient (a−b)/√S needs S of the whole batch.
// With that recipe the micro-batches run forward once more before, and each program is then told the squares that are elsewhere
// (model/distillation_loss.hpp).
//
// Batch norm sees one micro-batch at a time, as in PyTorch, so the gradient is that of the whole batch only where it is frozen
// (ProgramOptions::freeze_batch_norm). Otherwise running statistics go on once a micro-batch; the sweep before changes none.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/loader.hpp"
#include "engine/executor.hpp"
#include "engine/parameter_store.hpp"
#include "model/recipe.hpp"
#include "optim/parameter_chunks.hpp"
#include "train/programs.hpp"
#include "train/tally.hpp"

namespace autodidact::train {

// The loss of one step, and what it is made of: loss = ce + soft + feature, each with its weights; and each exit's part without.
struct StepLoss {
  double total = 0, ce = 0, soft = 0, feature = 0;
  ExitLosses exits = {};
};

// How many micro-batches a batch of so many images has, of `wanted`: none has fewer than two, which is what every batch norm can average.
std::int64_t micro_batches(std::int64_t batch, int wanted);
// Images [first, first + count) of a batch.
data::Batch part_of(const data::Batch& batch, std::size_t first, std::size_t count);

class BatchGradient {
 public:
  // `pieces` micro-batches a batch, ≥ 1; above 1 the programs must be made for micro-batches (ProgramOptions::part).
  BatchGradient(int pieces, double label_smoothing, Programs& programs, engine::Executor& executor, engine::ParameterStore& store);

  // Compiles what such a batch needs; returns the program of its largest pieces.
  engine::Program& prepare(std::int64_t batch);

  // Gradients and staged statistics of the batch are in the store afterwards, logits in the tally if there is one. A loss that is not
  // finite ends it early.
  StepLoss run(const data::Batch& batch, Tally* tally);
  // Running statistics are again what they were before run().
  void take_back();
  // After take_back(): the first number of the batch that is not finite.
  std::optional<engine::NonFinite> find_bad(const data::Batch& batch);

 private:
  static constexpr std::size_t kStudents = 3;
  std::int64_t pieces(const data::Batch& batch) const { return micro_batches(static_cast<std::int64_t>(batch.count), pieces_); }
  data::Batch piece(const data::Batch& batch, std::int64_t index) const;
  engine::Program& load(const data::Batch& batch, std::int64_t index);
  void find_squares(const data::Batch& batch);
  void accumulate(engine::Lane& lane, std::int64_t index, std::int64_t count);
  void keep_states();

  int pieces_;
  double label_smoothing_;
  bool norm_;  // the recipe's feature term is the norm of the batch
  Programs& programs_;
  engine::Executor& executor_;
  engine::ParameterStore& store_;
  std::vector<optim::Chunk> chunks_;
  std::vector<std::array<double, kStudents>> squares_;  // of each micro-batch and student
  std::vector<std::byte> states_before_;                // empty: nothing to take back
};
}  // namespace autodidact::train
