#include "train/tensorboard.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.", kSuffix = ".autodidact";

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

// Protocol buffers: a field is a key (its number and how its value is coded) and the value.
enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string key(unsigned field, Wire wire) { return varint(field << 3 | static_cast<unsigned>(wire)); }
std::string number_field(unsigned field, std::uint64_t value) { return key(field, Wire::varint) + varint(value); }
std::string bytes_field(unsigned field, std::string_view value) {
  return key(field, Wire::bytes) + varint(value.size()) + std::string(value);
}

// tensorflow/core/util/event.proto: wall_time = 1, step = 2, and one of file_version = 3, summary = 5, session_log = 7.
std::string event(double time, std::int64_t step, const std::string& what) {
  return key(1, Wire::fixed64) + little_endian(std::bit_cast<std::uint64_t>(std::isfinite(time) ? time : 0)) +
         number_field(2, static_cast<std::uint64_t>(step)) + what;
}

// Summary.value = 1; Summary.Value: tag = 1, simple_value = 2.
std::string scalar(std::string_view tag, double value) {
  const auto number = static_cast<float>(std::clamp<double>(value, -FLT_MAX, FLT_MAX));
  return bytes_field(1, bytes_field(1, tag) + key(2, Wire::fixed32) + little_endian(std::bit_cast<std::uint32_t>(number)));
}

std::string record(const std::string& bytes) {
  const std::string length = little_endian(std::uint64_t{bytes.size()});
  return length + little_endian(masked_crc32c(length)) + bytes + little_endian(masked_crc32c(bytes));
}

std::string summary_of(const MetricsRow& row) {
  std::string values;
  const auto add = [&](std::string_view tag, double value) {
    if (std::isfinite(value)) values += scalar(tag, value);
  };
  const auto add_exits = [&](const std::string& group, const std::array<double, kExits>& exits) {
    for (std::size_t k = 0; k < kExits; ++k) add(fmt::format("{}/exit{}", group, k + 1), exits[k]);
  };
  const std::string loss = row.judged() ? "epoch_loss" : "loss", accuracy = row.judged() ? "accuracy" : "accuracy_training";
  add(loss + "/total", row.loss);
  add(loss + "/ce", row.loss_ce);
  add(loss + "/soft", row.loss_soft);
  add(loss + "/feature", row.loss_feature);
  add_exits(loss + "_ce", row.exit_losses.ce);
  add_exits(loss + "_soft", row.exit_losses.soft);
  add_exits(loss + "_feature", row.exit_losses.feature);
  add(loss + "/gradient_norm", row.gradient_norm);
  add(loss + "/clipped", row.clipped);
  add_exits(accuracy, row.accuracies.exits);
  add(accuracy + "/ensemble", row.accuracies.ensemble);
  if (row.kind == RowKind::cut) return values;  // there may be a row of steps at the same step
  add("learning_rate", row.lr);
  add("images_per_s", row.images_per_s);
  return values;
}

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (is_event_file(entry.path().filename().string())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// Later than every other one, by name too: TensorBoard reads them in the order of their names.
fs::path next_file(const fs::path& folder, const std::vector<fs::path>& others) {
  std::int64_t seconds = std::time(nullptr);
  if (!others.empty()) seconds = std::max<std::int64_t>(seconds, std::stoll(others.back().filename().string().substr(kPrefix.size())) + 1);
  return folder / fmt::format("{}{:010}{}", kPrefix, seconds, kSuffix);
}
}  // namespace

bool is_event_file(std::string_view name) {
  constexpr std::size_t kDigits = 10;
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size() || !name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return false;
  const std::string_view digits = name.substr(kPrefix.size(), kDigits);
  return digits.find_first_not_of("0123456789") == std::string_view::npos;
}

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
      std::uint32_t remainder = byte;
      for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ (remainder & 1 ? 0x82f63b78U : 0U);
      table[byte] = remainder;
    }
    return table;
  }();
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  constexpr std::uint32_t kMask = 0xa282ead8;
  return std::rotr(crc32c(bytes), 15) + kMask;
}

std::string event_file_header(double time) {
  constexpr std::uint64_t kStart = 1;  // SessionLog.status = 1
  return record(event(time, 0, bytes_field(3, "brain.Event:2"))) + record(event(time, 0, bytes_field(7, number_field(1, kStart))));
}

std::string event_record(const MetricsRow& row) {
  if (row.kind == RowKind::stopped) return {};
  const std::string summary = summary_of(row);
  return summary.empty() ? summary : record(event(row.time, row.step, bytes_field(5, summary)));
}

EventLog::EventLog(const fs::path& folder, std::span<const MetricsRow> rows) {
  const std::vector<fs::path> others = event_files(folder);
  file_ = LogFile(next_file(folder, others), O_EXCL);
  std::string text = event_file_header(rows.empty() ? static_cast<double>(std::time(nullptr)) : rows.front().time);
  for (const MetricsRow& row : rows) text += event_record(row);
  file_.append(text);
  std::error_code ignored;  // one that stays is forgotten by START
  for (const fs::path& other : others) fs::remove(other, ignored);
}

void EventLog::append(const MetricsRow& row) { file_.append(event_record(row)); }
}  // namespace autodidact::train
