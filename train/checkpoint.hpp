// train/checkpoint.hpp: all of a run at the end of a step, in one file, so that it goes on as if it had never stopped.
//
// A sealed safetensors file (train/safetensors.hpp): one rename publishes it, and its last bytes are a hash of all others.
//
//   values/NAME                    parameters, F32 (F64 under the reference backend), OIHW
//   momentum/NAME  second_moments/NAME  what the optimizer keeps of them; second moments: AdamW only
//   states/NAME                    running statistics
//   average/NAME  average_states/NAME   moving averages of values and states, where they are kept
//   config metrics choices timings U8: texts, byte for byte; see RunState
//   metadata                       "format": "autodidact checkpoint 2", "state": JSON: where the run is, and its sums so far
//
// Random numbers are functions of (seed, purpose, epoch, sample), so no state of a generator is kept: epoch and step say it all.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/parameter_store.hpp"
#include "train/exit_accuracies.hpp"
#include "train/init_from.hpp"
#include "train/safetensors.hpp"
#include "train/stretch.hpp"

namespace autodidact::train {

struct RunState {
  int epoch = 0;               // from 0: the one that the next step belongs to
  std::int64_t step = 0;       // of this epoch, done; as many as it has: its end, with evaluation still to come
  std::int64_t steps = 0;      // of the run, done
  int best_epoch = 0;          // counted from 1; 0: none yet
  std::int64_t best_step = 0;  // steps done at its end
  ExitAccuracies best = {};
  std::vector<ExitAccuracies> history = {};  // of the epochs done, as judged
  Stretch::Sums epoch_sums = {}, row_sums = {};
  std::string machine = {};  // CPU, library and threads, in words
  std::string precision = "f32";  // of the steps: what --precision auto found
  std::string data = {};     // fingerprint of the training data (data/fingerprint.hpp)
  std::optional<LoadReport> init_from = {};  // what fitted, where the run began from a file of weights
  std::string config = {};   // RunOptions::config_text
  std::string metrics = {};  // all of metrics.jsonl
  std::string choices = {};  // of the training program (train/plan_choices.hpp)
  std::string timings = {};  // by which they were made: "MILLISECONDS<tab>KEY", a line each

  // Whose checkpoint is kept for its weights; −1: there is none yet.
  std::int64_t step_of_best() const { return best_epoch == 0 ? -1 : best_step; }
};

// A copy of what is to be written, so that the run may go on meanwhile.
class Snapshot {
 public:
  // `average`: the averaged weights, if they are kept.
  void take(RunState state, const engine::ParameterStore& store, const engine::ParameterStore* average = nullptr);
  const RunState& state() const { return state_; }
  // Atomic. Throws ResourceError, and leaves nothing behind then.
  void write(const std::filesystem::path& path) const;

 private:
  RunState state_;
  std::shared_ptr<const engine::ParameterLayout> layout_;
  engine::DType master_ = engine::DType::f32;
  struct Copy {
    const char* name = "";  // in front of the tensors' names
    bool states = false;
    std::vector<std::byte> bytes;
  };
  std::vector<Copy> copies_;  // sections as they lie in the store; memory is kept from save to save
};

// A file that was read.
struct Checkpoint {
  SafetensorsFile file;
  RunState state;
};
// Throws FileFormatError: no such file, damaged, or no checkpoint.
Checkpoint read_checkpoint(const std::filesystem::path& path);

// Fills the store: values, statistics, and what it has for the optimizer. FileFormatError where the checkpoint is of another network.
void restore(const Checkpoint& checkpoint, engine::ParameterStore& store);
// Fills a store with the averaged values and statistics. Throws as restore does, also where the checkpoint has none.
void restore_average(const Checkpoint& checkpoint, engine::ParameterStore& average);
}  // namespace autodidact::train
