#include "train/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "train/safetensors_header.hpp"

namespace autodidact::train {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's own reader

/// One file being read. Its errors are thrown without the path; read_safetensors puts it in front.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw FileFormatError("there is no such file");
    if (!std::filesystem::is_regular_file(status))
      throw FileFormatError("it is not a regular file");
    file_size_ = std::filesystem::file_size(path, error);
    stream_.open(path, std::ios::binary);
    if (error || !stream_) throw FileFormatError("it cannot be opened for reading");
  }

  SafetensorsFile read() {
    const std::string text = read_header_text();
    const std::uint64_t data_begin = kLengthBytes + text.size();
    SafetensorsHeader header = parse_header(text, file_size_ - data_begin);
    SafetensorsFile result{path_, std::move(header.metadata), {}};
    for (HeaderEntry& entry : header.entries) {
      std::vector<std::byte> bytes(entry.end - entry.begin);
      read_at(data_begin + entry.begin, bytes.data(), bytes.size());
      result.tensors.push_back(
          {std::move(entry.name), entry.type, std::move(entry.shape), std::move(bytes)});
    }
    return result;
  }

 private:
  void read_at(std::uint64_t offset, void* destination, std::size_t bytes) {
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(static_cast<char*>(destination), static_cast<std::streamsize>(bytes));
    if (!stream_) {
      throw FileFormatError(fmt::format("reading {} bytes at offset {} failed", bytes, offset));
    }
  }

  std::string read_header_text() {
    if (file_size_ < kLengthBytes) {
      throw FileFormatError(fmt::format("it has {} bytes, too few for the {} of a header's length",
                                        file_size_, kLengthBytes));
    }
    std::array<unsigned char, kLengthBytes> raw;
    read_at(0, raw.data(), raw.size());
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) length |= std::uint64_t{raw[i]} << (8 * i);
    if (length > kMaxHeaderBytes) {
      throw FileFormatError(fmt::format("it says its header has {} bytes, more than the {} allowed",
                                        length, kMaxHeaderBytes));
    }
    if (length > file_size_ - kLengthBytes) {
      throw FileFormatError(fmt::format("it says its header has {} bytes, but only {} follow",
                                        length, file_size_ - kLengthBytes));
    }
    std::string header(length, '\0');
    read_at(kLengthBytes, header.data(), header.size());
    return header;
  }

  std::filesystem::path path_;
  std::ifstream stream_;
  std::uint64_t file_size_ = 0;
};

/// Largest elements first, so that no tensor lies at an offset its type cannot be read from; then by name.
std::vector<const TensorView*> in_file_order(std::span<const TensorView> tensors) {
  std::vector<const TensorView*> order;
  for (const TensorView& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    const std::size_t size_a = file_type_size(a->type), size_b = file_type_size(b->type);
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });
  return order;
}

}  // namespace

const TensorRecord* SafetensorsFile::find(std::string_view name) const {
  const auto place = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const TensorRecord& t, std::string_view wanted) { return t.name < wanted; });
  return place != tensors.end() && place->name == name ? &*place : nullptr;
}

const TensorRecord& SafetensorsFile::require(std::string_view name, FileType type) const {
  const TensorRecord* tensor = find(name);
  if (tensor == nullptr) {
    throw FileFormatError(fmt::format("{} has no tensor {}", path.string(), quoted_name(name)));
  }
  if (tensor->type != type) {
    throw FileFormatError(fmt::format("{}: tensor {} is {}, expected {}", path.string(),
                                      quoted_name(name), file_type_name(tensor->type),
                                      file_type_name(type)));
  }
  return *tensor;
}

const TensorRecord& SafetensorsFile::require(std::string_view name, FileType type,
                                             const FileShape& shape) const {
  const TensorRecord& tensor = require(name, type);
  if (tensor.shape != shape) {
    throw FileFormatError(fmt::format("{}: tensor {} has shape {}, expected {}", path.string(),
                                      quoted_name(name), shape_text(tensor.shape),
                                      shape_text(shape)));
  }
  return tensor;
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  try {
    return Reader(path).read();
  } catch (const FileFormatError& error) {
    throw FileFormatError(fmt::format("cannot read {}: {}", path.string(), error.what()));
  }
}

void write_safetensors(const std::filesystem::path& path, const Metadata& metadata,
                       std::span<const TensorView> tensors) {
  const std::vector<const TensorView*> order = in_file_order(tensors);
  const std::string header = make_header(metadata, order);
  std::array<std::byte, kLengthBytes> length;
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<std::byte>(std::uint64_t{header.size()} >> (8 * i));
  }
  AtomicFile file(path);
  file.write(length);
  file.write(header);
  for (const TensorView* tensor : order) file.write(tensor->bytes);
  file.commit();
}

}  // namespace autodidact::train
