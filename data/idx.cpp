#include "data/idx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "data/error.hpp"
#include "data/file.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kLabelsMagic = 0x00000801;  // 08: unsigned bytes; the last byte: dimensions
constexpr std::uint32_t kImagesMagic = 0x00000803;
constexpr std::uint32_t kChannelImagesMagic = 0x00000804;
constexpr std::uint32_t kMaxChannels = 4, kMaxSide = 4096;

// Reads big-endian numbers from the front of a file, checking its length.
class Header {
 public:
  Header(const fs::path& path, const std::vector<std::uint8_t>& bytes)
      : path_(path), bytes_(bytes) {}

  std::uint32_t next(std::string_view what) {
    if (bytes_.size() - offset_ < 4) {
      throw DataError(
          fmt::format("{}: the header is truncated: {} at offset {} needs 4 bytes, {} are there",
                      path_.string(), what, offset_, bytes_.size() - offset_));
    }
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | bytes_[offset_++];
    return value;
  }

  // A number within limits.
  std::uint32_t next(std::string_view what, std::uint32_t low, std::uint32_t high) {
    const std::size_t at = offset_;
    const std::uint32_t value = next(what);
    if (value < low || value > high) {
      throw DataError(fmt::format("{}: {} at offset {} is {}, expected {} to {}", path_.string(),
                                  what, at, value, low, high));
    }
    return value;
  }

  // The header ends; exactly `expected` bytes must follow.
  void end(std::uint64_t expected, std::string_view promise) const {
    const std::uint64_t follow = bytes_.size() - offset_;
    if (follow == expected) return;
    throw DataError(fmt::format("{}: {} after the header of {} bytes: {} is {} bytes, {} follow",
                                path_.string(), follow < expected ? "truncated" : "trailing bytes",
                                offset_, promise, expected, follow));
  }
  std::size_t size() const { return offset_; }

 private:
  const fs::path& path_;
  const std::vector<std::uint8_t>& bytes_;
  std::size_t offset_ = 0;
};

// Pixels of all images; the shape is returned.
ImageShape read_images(const fs::path& path, std::vector<std::uint8_t>& pixels) {
  pixels = read_file(path);
  Header header(path, pixels);
  const std::uint32_t magic = header.next("the magic number");
  if (magic != kImagesMagic && magic != kChannelImagesMagic) {
    throw DataError(
        fmt::format("{}: the magic number at offset 0 is 0x{:08x}, expected 0x{:08x} (images) or "
                    "0x{:08x} (images with channels)",
                    path.string(), magic, kImagesMagic, kChannelImagesMagic));
  }
  const std::uint32_t count = header.next("the number of images");
  const std::uint32_t channels =
      magic == kImagesMagic ? 1 : header.next("the number of channels", 1, kMaxChannels);
  const std::uint32_t height = header.next("the number of rows", 1, kMaxSide);
  const std::uint32_t width = header.next("the number of columns", 1, kMaxSide);
  // At most 2^32 · 4 · 2^12 · 2^12 = 2^58: no overflow.
  header.end(std::uint64_t{count} * channels * height * width,
             fmt::format("the promise of {} images of {}x{}x{}", count, channels, height, width));
  if (count == 0) throw DataError(fmt::format("{}: holds no images", path.string()));
  pixels.erase(pixels.begin(), pixels.begin() + static_cast<std::ptrdiff_t>(header.size()));
  return {static_cast<int>(channels), static_cast<int>(height), static_cast<int>(width)};
}

std::vector<std::uint8_t> read_labels(const fs::path& path) {
  std::vector<std::uint8_t> labels = read_file(path);
  Header header(path, labels);
  if (const std::uint32_t magic = header.next("the magic number"); magic != kLabelsMagic) {
    throw DataError(
        fmt::format("{}: the magic number at offset 0 is 0x{:08x}, expected 0x{:08x} (labels)",
                    path.string(), magic, kLabelsMagic));
  }
  const std::uint32_t count = header.next("the number of labels");
  header.end(count, fmt::format("the promise of {} labels", count));
  labels.erase(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(header.size()));
  return labels;
}

// Where the files of a half are: folder / (prefix + name).
struct Place {
  fs::path folder;
  std::string prefix;

  std::vector<std::string> names(Half half, bool images) const {
    std::vector<std::string> found;
    for (const char* part :
         half == Half::train ? std::vector{"train"} : std::vector{"t10k", "test"}) {
      if (!images) {
        found.push_back(fmt::format("{}{}-labels-idx1-ubyte", prefix, part));
        found.push_back(fmt::format("{}{}-labels.idx1-ubyte", prefix, part));
        continue;
      }
      for (const char* kind : {"-images-idx3-ubyte", "-images.idx3-ubyte", "-images-idx4-ubyte"}) {
        found.push_back(fmt::format("{}{}{}", prefix, part, kind));
      }
    }
    return found;
  }
};

Place place_of(const fs::path& location) {
  std::error_code error;
  if (fs::is_directory(location, error) || !location.has_filename()) return {location, ""};
  const fs::path parent = location.has_parent_path() ? location.parent_path() : fs::path(".");
  const Place place{parent, location.filename().string() + "-"};
  // Nothing there by that prefix: a folder was meant, and the message should speak of it.
  const bool any = !find_file(parent, place.names(Half::train, true)).empty() ||
                   !find_file(parent, place.names(Half::test, true)).empty();
  return any ? place : Place{location, ""};
}

fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t at = name.rfind("images");
  if (at == std::string::npos) {
    throw DataError(fmt::format(
        "{}: the name of a file of images must contain \"images\", so that its labels can be found",
        images.string()));
  }
  name.replace(at, 6, "labels");
  for (const char* dimensions : {"idx3", "idx4"}) {
    if (const std::size_t d = name.rfind(dimensions); d != std::string::npos)
      name.replace(d, 4, "idx1");
  }
  // The two may be compressed differently.
  for (const char* suffix : {".gz", ".xz"}) {
    if (name.ends_with(suffix)) name.resize(name.size() - 3);
  }
  return require_file(images.parent_path(), {&name, 1});
}

std::vector<std::string> find_class_names(const fs::path& folder, const Place* place,
                                          const std::vector<std::uint8_t>& labels) {
  const std::string names_file = "class_names.txt";
  if (const fs::path path = find_file(folder, {&names_file, 1}); !path.empty())
    return read_names(path, 0);
  int highest = *std::max_element(labels.begin(), labels.end());
  if (place) {  // the test half must not have fewer classes only because the last one does not occur in it
    const fs::path train = find_file(place->folder, place->names(Half::train, false));
    if (!train.empty()) {
      for (std::uint8_t label : read_labels(train)) highest = std::max<int>(highest, label);
    }
  }
  return numbered_classes(highest + 1);
}

}  // namespace

DatasetPointer read_idx(Half half, const fs::path& location, std::vector<std::string> class_names) {
  std::error_code error;
  const bool single = fs::is_regular_file(location, error);
  const Place place = single ? Place{location.parent_path(), ""} : place_of(location);
  const fs::path images = single ? location : require_file(place.folder, place.names(half, true));
  const fs::path label_file =
      single ? labels_beside(location) : require_file(place.folder, place.names(half, false));

  MemoryDataset::Content content;
  content.shape = read_images(images, content.pixels);
  const std::vector<std::uint8_t> labels = read_labels(label_file);
  const std::size_t count = content.pixels.size() / content.shape.bytes();
  if (labels.size() != count) {
    throw DataError(fmt::format("{}: has {} labels, but {} has {} images", label_file.string(),
                                labels.size(), images.string(), count));
  }
  if (class_names.empty())
    class_names = find_class_names(place.folder, single ? nullptr : &place, labels);
  constexpr std::size_t kLabelHeader = 8;
  for (std::size_t i = 0; i < count; ++i) {
    if (labels[i] >= class_names.size()) {
      throw DataError(fmt::format("{}: label {} at offset {} (sample {}) must be below {}",
                                  label_file.string(), labels[i], kLabelHeader + i, i,
                                  class_names.size()));
    }
  }
  content.labels.assign(labels.begin(), labels.end());
  content.class_names = std::move(class_names);
  content.parts = {{images.filename().string(), 0}};
  return std::make_shared<MemoryDataset>(std::move(content));
}

}  // namespace autodidact::data
