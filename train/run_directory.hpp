// The folder that one training run writes: `train --out DIR`.
//
//   metrics.jsonl       what was measured, a line per log point    (train/metrics_log.hpp)
//   metrics.csv         the same, for spreadsheets
//   config.toml         every option as used; `--config` takes it back
//   last.safetensors    weights after the newest epoch             (train/safetensors.hpp)
//   best.safetensors    weights of the epoch with the best ensemble
//   exits.svg           accuracy of each exit against epoch        (train/chart.hpp)
//   events.out.tfevents…  the metrics, for TensorBoard             (train/tensorboard.hpp)
//   result.json         how the run ended; only of one that has    (train/run_result.hpp)
//   confusion.json      which class was taken for which            (train/confusion.hpp)
//   checkpoints/        all that a run needs to go on               (train/checkpoint_store.hpp)
//
// Two runs are never mixed in one folder. Where any of these files exists already, the run is refused, unless the user
// says --resume, or --overwrite: then these files (and what a killed process left of them) are removed by begin(), and nothing else
// is; the checkpoints are their store's. Other files in the folder are no hindrance and are left alone. As long as the object lives the folder
// is locked, so that a second process can neither write to it nor overwrite it.
#pragma once

#include <filesystem>

#include "train/file_descriptor.hpp"

namespace autodidact::train {

enum class ExistingRun { refuse, overwrite, resume };

/// Throws std::invalid_argument where the folder holds a run, or part of one.
void require_no_run(const std::filesystem::path& directory);

class RunDirectory {
 public:
  /// Creates the folder and its parents. Throws std::invalid_argument where the path is empty or a file, where it holds
  /// a run and `existing` is refuse, or where another process is writing to it; ResourceError where the system refuses
  /// to create or to write there, which is thus known before the first hour of training.
  RunDirectory(std::filesystem::path directory, ExistingRun existing);
  /// Removes the run that is to be overwritten, if there is one. Until this call nothing in the folder has changed: call it when
  /// nothing but the training itself can go wrong any more.
  void begin() const;
  /// Instead of begin(), where the run goes on: removes only what killed processes left, and what the run says when it has ended.
  void go_on() const;

  const std::filesystem::path& path() const { return directory_; }
  std::filesystem::path metrics() const { return directory_ / "metrics.jsonl"; }
  std::filesystem::path metrics_csv() const { return directory_ / "metrics.csv"; }
  std::filesystem::path config() const { return directory_ / "config.toml"; }
  std::filesystem::path last_weights() const { return directory_ / "last.safetensors"; }
  std::filesystem::path best_weights() const { return directory_ / "best.safetensors"; }
  std::filesystem::path exits_chart() const { return directory_ / "exits.svg"; }
  std::filesystem::path result() const { return directory_ / "result.json"; }
  std::filesystem::path confusion() const { return directory_ / "confusion.json"; }
  std::filesystem::path checkpoints() const { return directory_ / "checkpoints"; }

 private:
  void create() const;
  void lock();
  void require_writable() const;
  void remove_files(bool left_overs_only) const;

  std::filesystem::path directory_;
  FileDescriptor lock_;
};

}  // namespace autodidact::train
