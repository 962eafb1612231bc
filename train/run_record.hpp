// train/run_record.hpp: what a run directory says of its run, read back.
//
// The run may be going on, or have been killed: a last line of metrics.jsonl that is cut off is left out and noted. result.json,
// confusion.json and policy.json need not be there. All else that is missing or damaged is data::DataError, one sentence with the file and the line.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/confusion.hpp"
#include "train/exit_policy_file.hpp"
#include "train/metrics_log.hpp"
#include "train/run_result.hpp"

namespace autodidact::train {

struct RunRecord {
  std::string name = {};                                         // of the folder
  std::string path = {};                                         // of the folder, as it was given
  std::string config_text = {};                                  // of config.toml, as it is
  std::vector<std::pair<std::string, std::string>> config = {};  // options as used, in the file's order, without quotes
  std::string machine = {};                                      // as describe_machine() wrote it; empty: unknown
  std::vector<MetricsRow> rows = {};                             // of metrics.jsonl, in its order
  bool cut_off = false;                                          // its last line was
  std::optional<RunResult> result = {};                          // of result.json; a run that goes on has none
  std::optional<Confusion> confusion = {};                       // of confusion.json
  std::optional<PolicyFile> policy = {};                         // of policy.json, where somebody put one

  std::string option(std::string_view key) const;  // its value, or nothing
};

RunRecord read_run(const std::filesystem::path& directory);

// The first line of config.toml, a comment: "# machine: CPU, N threads".
std::string describe_machine(int threads);

// The last rows of epochs, also of one that --max-steps cut: their accuracies are those on which the best epoch is picked.
std::vector<MetricsRow> epoch_rows(const RunRecord& run);
// The rows inside epochs, for curves against steps; where there are fewer than two, those of the epochs.
std::vector<MetricsRow> step_rows(const RunRecord& run);

// The epoch that best.safetensors is of: the first with the largest ensemble, or exit 4 without branches. Rows may not be empty.
const MetricsRow& best_epoch(const std::vector<MetricsRow>& epochs);

// "validation", "test" or "training": what the accuracies of epochs were measured on.
std::string_view judged_on(const RunRecord& run);
}  // namespace autodidact::train
