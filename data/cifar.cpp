#include "data/cifar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "data/error.hpp"
#include "data/file.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr ImageShape kShape{3, 32, 32};

// What differs between the two formats.
struct Format {
  std::vector<std::string> label_kinds;  // one byte each, the last is the class
  std::vector<int> label_counts;
  std::vector<std::string> train_files, test_files;
  std::string names_file, usual_folder;
  std::size_t record_bytes() const { return label_counts.size() + kShape.bytes(); }
  int classes() const { return label_counts.back(); }
};

Format format_of(Cifar kind) {
  if (kind == Cifar::ten) {
    return {{"label"},
            {10},
            {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
             "data_batch_5.bin"},
            {"test_batch.bin"},
            "batches.meta.txt",
            "cifar-10-batches-bin"};
  }
  return {{"coarse label", "fine label"}, {20, 100},         {"train.bin"}, {"test.bin"},
          "fine_label_names.txt",         "cifar-100-binary"};
}

// Checks the records and parts them into labels and pixels. The pixels stay in the buffer they were read into.
void parse_records(const Format& format, const fs::path& path, std::vector<std::uint8_t>& bytes,
                   std::vector<std::int32_t>& labels) {
  const std::size_t record = format.record_bytes(), label_bytes = format.label_counts.size();
  const std::size_t count = bytes.size() / record;
  if (bytes.empty()) {
    throw DataError(
        fmt::format("{}: is empty, expected records of {} bytes", path.string(), record));
  }
  if (const std::size_t rest = bytes.size() % record; rest != 0) {
    throw DataError(fmt::format("{}: the record at offset {} is truncated: {} of {} bytes",
                                path.string(), count * record, rest, record));
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < label_bytes; ++k) {
      const std::uint8_t label = bytes[i * record + k];
      if (label >= format.label_counts[k]) {
        throw DataError(fmt::format("{}: {} {} at offset {} (record {}) must be below {}",
                                    path.string(), format.label_kinds[k], label, i * record + k, i,
                                    format.label_counts[k]));
      }
    }
    labels.push_back(bytes[i * record + label_bytes - 1]);
    std::memmove(bytes.data() + i * kShape.bytes(), bytes.data() + i * record + label_bytes,
                 kShape.bytes());
  }
  bytes.resize(count * kShape.bytes());
}

std::vector<std::string> names_beside(const Format& format, const fs::path& folder) {
  const fs::path path = find_file(folder, std::array{format.names_file});
  const int classes = format.classes();
  return path.empty() ? numbered_classes(classes)
                      : read_names(path, static_cast<std::size_t>(classes));
}

}  // namespace

DatasetPointer read_cifar(Cifar kind, Half half, const fs::path& location) {
  const Format format = format_of(kind);
  const auto& names = half == Half::train ? format.train_files : format.test_files;
  std::vector<fs::path> paths;
  fs::path folder = location;
  std::error_code error;
  if (fs::is_regular_file(location, error)) {
    folder = location.parent_path();
    paths = {location};
  } else {
    const fs::path below = location / format.usual_folder;
    if (find_file(folder, {names.data(), 1}).empty() && fs::is_directory(below, error))
      folder = below;
    for (const std::string& name : names) paths.push_back(require_file(folder, {&name, 1}));
  }

  MemoryDataset::Content content{kShape, {}, {}, names_beside(format, folder), {}};
  for (const fs::path& path : paths) {
    content.parts.push_back({path.filename().string(), content.labels.size()});
    std::vector<std::uint8_t> bytes = read_file(path);
    parse_records(format, path, bytes, content.labels);
    if (content.pixels.empty()) {
      content.pixels = std::move(bytes);
    } else {
      content.pixels.insert(content.pixels.end(), bytes.begin(), bytes.end());
    }
  }
  return std::make_shared<MemoryDataset>(std::move(content));
}

}  // namespace autodidact::data
