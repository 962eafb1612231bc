// train/tensorboard.hpp: the rows of metrics.jsonl as a TensorBoard event file, `events.out.tfevents.SECONDS.autodidact`.
//
// A file of records: length (u64, little-endian) · masked CRC-32C of the length · bytes · masked CRC-32C of the bytes (TFRecord). The
// bytes are TensorFlow's protocol buffer `Event`, of which a few fields are needed: they are written here, field by field, which is
// less than a code generator and a run-time library for every program that links this one. The first record says
// "brain.Event:2", the second SessionLog START at step 0: whoever followed an earlier file forgets it. Then a record for each row.
//
//   tag                                                     of rows
//   loss/total  /ce  /soft  /feature                        steps
//   loss_ce/exit1 … exit4  loss_soft/…  loss_feature/…      steps; before α, λ and T²
//   accuracy_training/exit1 … exit4  /ensemble              steps
//   epoch_loss/…  epoch_loss_ce/… and so on                 epoch and cut: of the whole epoch
//   accuracy/exit1 … exit4  /ensemble                       epoch and cut: on what the best epoch is picked on
//   learning_rate  images_per_s                             steps and epoch
//
// What is missing has no point. Rows of an epoch that a signal ended are left out: they go where the run goes on.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "train/log_file.hpp"
#include "train/metrics_log.hpp"

namespace autodidact::train {

// Whether a file of this name is one of ours.
bool is_event_file(std::string_view name);

// The records of a file's beginning, `time` in seconds since 1970, and of one row; nothing for a row that has no points.
std::string event_file_header(double time);
std::string event_record(const MetricsRow& row);

// The checksum of iSCSI (RFC 3720), reflected polynomial 0x82f63b78, and TFRecord's mask of it.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

// Beside metrics.jsonl. A run that goes on gets a new file with all its rows, since a reader that follows the old one would not see
// that it was replaced; then the old ones are removed, so that no step is there twice.
class EventLog {
 public:
  // Throws ResourceError.
  EventLog(const std::filesystem::path& folder, std::span<const MetricsRow> rows);
  void append(const MetricsRow& row);

 private:
  LogFile file_;
};
}  // namespace autodidact::train
