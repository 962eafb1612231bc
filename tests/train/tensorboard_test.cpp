// Event files, taken apart by hand: framing, checksums, fields. TensorBoard's own reader is tests/oracle/check_tensorboard.py.
#include "train/tensorboard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "tests/train/scratch.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {

template <class T>
T take(std::string_view& bytes) {
  T value{};
  REQUIRE(bytes.size() >= sizeof value);
  std::memcpy(&value, bytes.data(), sizeof value);  // x86: little-endian
  bytes.remove_prefix(sizeof value);
  return value;
}
std::string_view take_bytes(std::string_view& bytes, std::size_t count) {
  REQUIRE(bytes.size() >= count);
  const std::string_view taken = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return taken;
}
std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
}

// A bit at a time, from the definition.
std::uint32_t slow_masked_crc(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool low = ((crc ^ (static_cast<unsigned char>(byte) >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (low ? 0x82f63b78U : 0U);
    }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

struct Event {
  double time = 0;
  std::int64_t step = 0;
  std::string version;
  bool start = false;
  std::map<std::string, float> scalars;
};

void read_value(std::string_view value, Event& event) {
  REQUIRE(take_varint(value) == (1U << 3 | 2));
  const std::string tag(take_bytes(value, take_varint(value)));
  REQUIRE(take_varint(value) == (2U << 3 | 5));
  CHECK(event.scalars.emplace(tag, take<float>(value)).second);
  CHECK(value.empty());
}

Event read_event(std::string_view bytes) {
  Event event;
  while (!bytes.empty()) {
    switch (take_varint(bytes)) {
      case 1U << 3 | 1: event.time = take<double>(bytes); break;
      case 2U << 3 | 0: event.step = static_cast<std::int64_t>(take_varint(bytes)); break;
      case 3U << 3 | 2: event.version = take_bytes(bytes, take_varint(bytes)); break;
      case 7U << 3 | 2: event.start = take_bytes(bytes, take_varint(bytes)) == "\x08\x01"; break;
      case 5U << 3 | 2: {
        std::string_view summary = take_bytes(bytes, take_varint(bytes));
        while (!summary.empty()) {
          REQUIRE(take_varint(summary) == (1U << 3 | 2));
          read_value(take_bytes(summary, take_varint(summary)), event);
        }
        break;
      }
      default: FAIL("an unknown field");
    }
  }
  return event;
}

std::vector<Event> read_events(std::string_view file) {
  std::vector<Event> events;
  while (!file.empty()) {
    const std::string_view length = file.substr(0, 8);
    const auto size = take<std::uint64_t>(file);
    CHECK(take<std::uint32_t>(file) == slow_masked_crc(length));
    const std::string_view bytes = take_bytes(file, size);
    CHECK(take<std::uint32_t>(file) == slow_masked_crc(bytes));
    events.push_back(read_event(bytes));
  }
  return events;
}

MetricsRow full_row(std::int64_t step, RowKind kind) {
  MetricsRow row{.step = step, .epoch = 1, .lr = 0.5, .loss = 7, .loss_ce = 4, .loss_soft = 2, .loss_feature = 1};
  row.accuracies = {{10, 20, 30, 40}, 50};
  row.images_per_s = 100;
  row.exit_losses = {{1, 2, 3, 4}, {5, 6, 7, kMissing}, {8, 9, kMissing, kMissing}};
  row.kind = kind;
  row.time = 1764012345.125;
  return row;
}

std::vector<std::string> event_files_in(const ScratchDirectory& folder) {
  std::vector<std::string> files;
  for (const std::string& name : folder.names())
    if (is_event_file(name)) files.push_back(name);
  return files;
}
}  // namespace

TEST_CASE("tensorboard: the checksum is CRC-32C") {
  CHECK(crc32c("123456789") == 0xe3069283);                // the polynomial's check value
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);      // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
}

TEST_CASE("tensorboard: each row is a record of the points that it has, by tags that tell steps from epochs") {
  const auto steps = read_events(event_record(full_row(300, RowKind::steps)));
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].step == 300);
  CHECK(steps[0].time == 1764012345.125);
  CHECK(steps[0].scalars ==
        std::map<std::string, float>{{"loss/total", 7}, {"loss/ce", 4}, {"loss/soft", 2}, {"loss/feature", 1}, {"loss_ce/exit1", 1},
                                     {"loss_ce/exit2", 2}, {"loss_ce/exit3", 3}, {"loss_ce/exit4", 4}, {"loss_soft/exit1", 5},
                                     {"loss_soft/exit2", 6}, {"loss_soft/exit3", 7}, {"loss_feature/exit1", 8}, {"loss_feature/exit2", 9},
                                     {"accuracy_training/exit1", 10}, {"accuracy_training/exit2", 20}, {"accuracy_training/exit3", 30},
                                     {"accuracy_training/exit4", 40}, {"accuracy_training/ensemble", 50}, {"learning_rate", 0.5F},
                                     {"images_per_s", 100}});
  const auto epoch = read_events(event_record(full_row(300, RowKind::epoch)));
  REQUIRE(epoch.size() == 1);
  CHECK(epoch[0].scalars.at("accuracy/exit3") == 30);
  CHECK(epoch[0].scalars.at("epoch_loss/total") == 7);
  CHECK(epoch[0].scalars.at("epoch_loss_ce/exit4") == 4);
  CHECK(epoch[0].scalars.contains("learning_rate"));
  const auto cut = read_events(event_record(full_row(300, RowKind::cut)));
  REQUIRE(cut.size() == 1);
  for (const auto& [tag, value] : cut[0].scalars) CHECK_FALSE(steps[0].scalars.contains(tag));
  CHECK(event_record(full_row(300, RowKind::stopped)).empty());
  CHECK(event_record({.step = 1}).empty());
}

TEST_CASE("tensorboard: beside the log lies one file, made anew from it whenever it is opened, and newer by its name") {
  const ScratchDirectory folder;
  const auto log = folder / "metrics.jsonl";
  MetricsLog(log).append(full_row(50, RowKind::steps));
  const auto first = event_files_in(folder);
  REQUIRE(first.size() == 1);
  std::string kept = read_text(folder / first[0]);
  auto events = read_events(kept);
  REQUIRE(events.size() == 3);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[1].start);
  CHECK(events[2].step == 50);

  // As after a kill in the middle of a record, with rows that the checkpoint did not know.
  write_text(folder / first[0], kept + kept.substr(0, 20));
  write_text(folder / "events.out.tfevents.17.other", "not ours");
  MetricsLog(log).append(full_row(100, RowKind::epoch));
  const auto second = event_files_in(folder);
  REQUIRE(second.size() == 1);
  CHECK(second[0] > first[0]);
  events = read_events(read_text(folder / second[0]));
  REQUIRE(events.size() == 4);
  CHECK(events[2].step == 50);
  CHECK(events[3].step == 100);
  CHECK(read_text(folder / "events.out.tfevents.17.other") == "not ours");
}
