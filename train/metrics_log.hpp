// metrics.jsonl: what a run measured, one JSON object per line, so that any tool can follow a run while it goes on.
//
//   {"step":391,"epoch":1,"kind":"epoch","lr":0.1,"loss":4.2,"loss_ce":…,"loss_soft":…,"loss_feature":…,
//    "loss_ce_exits":[1.5,1.25,1,1],"loss_soft_exits":[1,1,1,null],"loss_feature_exits":[2,2,null,null],
//    "gradient_norm":1.5,"clipped":null,"exits":[21.5,null,25,26.25],"ensemble":27,"images_per_s":812.5,"time":1764012345.125}
//
//   kind     steps: inside an epoch. Mean losses, training accuracies and speed of the steps since the row before.
//            epoch: at the end of an epoch. Mean losses and speed of the whole epoch, and the accuracies on what the best epoch is
//            picked on, which is the validation part (else the test half or the training part: train says which). `epoch` is whole.
//            cut: the same of an epoch that --max-steps ended in its middle.
//            stopped: of an epoch that a signal ended. Its accuracies are the training's; it goes where the run goes on.
//
//   loss          what is minimised: loss_ce + loss_soft + loss_feature. Each of these has its weights in it:
//   loss_ce       CE of exit 4 + (1−α)·(CE of exits 1 … 3)
//   loss_soft     α·(soft cross-entropy of exits 1 … 3), times T² where the recipe has it
//   loss_feature  λ·(feature distances)
//   loss_…_exits  what each of them is made of, exits 1 … 4, before α, λ and T²
//   gradient_norm mean Euclidean norm of the steps' gradients; clipped: part of the steps in which a bound shortened it
//
// Accuracies and clipped are in percent. What was not measured or is not finite is null (JSON knows no NaN). Numbers have the fewest
// digits that read back to the same double.
// Beside it metrics.csv has the same numbers for spreadsheets, a column each: exits is exit1 … exit4, loss_ce_exits
// is loss_ce_exit1 … loss_ce_exit4, null is an empty field; and an event file for TensorBoard (train/tensorboard.hpp). The log is the
// truth: both are made anew from it whenever it is opened.
// Every line is one write, so a crash loses no line that was logged and another process never reads half of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "train/exit_accuracies.hpp"
#include "train/log_file.hpp"

namespace autodidact::train {

enum class RowKind : std::uint8_t { steps, epoch, cut, stopped };
std::string_view name_of(RowKind kind);

struct MetricsRow {
  std::int64_t step = 0;        ///< steps done since the run began
  double epoch = 0;             ///< epochs done; a fraction in the middle of one
  double lr = kMissing;         ///< learning rate of the step
  double loss = kMissing;
  double loss_ce = kMissing;
  double loss_soft = kMissing;
  double loss_feature = kMissing;
  double gradient_norm = kMissing;  ///< mean over the steps, before clipping
  double clipped = kMissing;        ///< % of the steps
  ExitAccuracies accuracies{};
  double images_per_s = kMissing;
  ExitLosses exit_losses{};
  RowKind kind = RowKind::steps;
  double time = kMissing;       ///< when it was written: seconds since 1970, UTC

  /// Its accuracies are those on which epochs are judged.
  bool judged() const { return kind == RowKind::epoch || kind == RowKind::cut; }
};

/// One line without the line's end.
std::string to_json_line(const MetricsRow& row);

/// The row that to_json_line wrote. Keys that it does not know are passed over, those that are missing are kMissing; without a kind a
/// whole `epoch` tells the end of one. Throws std::invalid_argument that says what is wrong with the line.
MetricsRow from_json_line(std::string_view line);

/// The first line of metrics.csv, and one for a row; without the line's end.
std::string csv_header();
std::string to_csv_line(const MetricsRow& row);

class EventLog;

class MetricsLog {
 public:
  /// Appends to `path`, which is created where it is missing, and to the .csv and the event file beside it. Throws ResourceError.
  explicit MetricsLog(std::filesystem::path path);
  ~MetricsLog();
  /// Throws ResourceError, as when the disk is full; a line begun is then taken back.
  void append(const MetricsRow& row);

 private:
  LogFile json_, csv_;
  std::unique_ptr<EventLog> events_;
};

}  // namespace autodidact::train
