// metrics.jsonl: what a run measured, one JSON object per line, so that any tool can follow a run while it goes on.
//
//   {"step":391,"epoch":1,"lr":0.1,"loss":4.2,"loss_ce":…,"loss_soft":…,"loss_feature":…,"gradient_norm":1.5,"clipped":null,
//    "exits":[21.5,null,25,26.25],"ensemble":27,"images_per_s":812.5}
//
// A row inside an epoch: the mean losses, the training accuracies and the speed of the steps since the row before. The last row of an
// epoch: the mean losses and the speed of the whole epoch, and the accuracies on what the best epoch is picked on, which is the
// validation part (else the test half or the training part: train says which). `epoch` is a whole number only there.
//
//   loss          what is minimised: loss_ce + loss_soft + loss_feature. Each of these has its weights in it:
//   loss_ce       CE of exit 4 + (1−α)·(CE of exits 1 … 3)
//   loss_soft     α·(soft cross-entropy of exits 1 … 3), times T² where the recipe has it
//   loss_feature  λ·(feature distances)
//   gradient_norm mean Euclidean norm of the steps' gradients; clipped: part of the steps in which a bound shortened it
//
// Accuracies and clipped are in percent. What was not measured or is not finite is null (JSON knows no NaN). Numbers have the fewest
// digits that read back to the same double.
// Beside it metrics.csv has the same numbers for spreadsheets, a column each: exits is exit1 … exit4, null is an empty field. The log
// is the truth: the CSV is made anew from it whenever it is opened.
// Every line is one write, so a crash loses no line that was logged and another process never reads half of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "train/exit_accuracies.hpp"
#include "train/file_descriptor.hpp"

namespace autodidact::train {

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
};

/// One line without the line's end.
std::string to_json_line(const MetricsRow& row);

/// The row that to_json_line wrote. Keys that it does not know are passed over, those that are missing are kMissing. Throws
/// std::invalid_argument that says what is wrong with the line.
MetricsRow from_json_line(std::string_view line);

/// The first line of metrics.csv, and one for a row; without the line's end.
std::string csv_header();
std::string to_csv_line(const MetricsRow& row);

class MetricsLog {
 public:
  /// Appends to `path`, which is created where it is missing, and to the .csv beside it. Throws ResourceError.
  explicit MetricsLog(std::filesystem::path path);
  /// Throws ResourceError, as when the disk is full; a line begun is then taken back.
  void append(const MetricsRow& row);

 private:
  struct File {
    std::filesystem::path path;
    FileDescriptor descriptor;
    void append(std::string line) const;
  };
  File json_, csv_;
};

}  // namespace autodidact::train
