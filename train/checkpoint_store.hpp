// train/checkpoint_store.hpp: the folder of a run's checkpoints, `DIR/checkpoints/step-000000001234.safetensors`.
//
// A checkpoint appears under its name whole or not at all (train/atomic_file.hpp); what a killed process left has a hidden name.
// Older ones are removed only when a newer one lies on disk, so there is never a moment without one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <future>
#include <vector>

#include "train/checkpoint.hpp"

namespace autodidact::train {

class CheckpointStore {
 public:
  struct Entry {
    std::int64_t step = 0;
    std::filesystem::path path;
  };

  // The folder need not be there. `keep`: how many of the newest stay, beside the best; ≥ 1.
  CheckpointStore(std::filesystem::path folder, int keep);
  // Waits for a checkpoint that is being written.
  ~CheckpointStore() = default;
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path path_of(std::int64_t step) const;
  // By name, oldest first; none where there is no folder. Throws ResourceError where it cannot be read.
  std::vector<Entry> entries() const;

  // Makes the folder, removes what killed processes left, and every checkpoint of more than `step` steps: they belong to a run that is
  // not continued. Returns how many those were. Of the others those stay that save() would have left; `best_step` −1: there is no best yet.
  // Throws ResourceError, also where nothing could be written later.
  int begin(std::int64_t step, std::int64_t best_step = -1);

  // Takes the memory of the copy, so that the first save does not wait for the system to give it page by page.
  void reserve(const engine::ParameterStore& store, const engine::ParameterStore* average = nullptr) {
    snapshot_.take({}, store, average);
  }

  // Copies the state now and writes it in the background; what went wrong there is thrown by the next call of save() or wait(), as
  // ResourceError. Waits first while another one is being written: ask busy() not to.
  void save(RunState state, const engine::ParameterStore& store, const engine::ParameterStore* average = nullptr);
  bool busy() const;
  void wait();

 private:
  std::vector<std::filesystem::path> files() const;
  void write() const;
  void remove_old(std::int64_t best_step) const;

  std::filesystem::path folder_;
  int keep_;
  Snapshot snapshot_;
  std::future<void> writing_;  // last: its end is waited for before anything it uses goes
};
}  // namespace autodidact::train
