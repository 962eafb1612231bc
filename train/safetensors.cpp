#include "train/safetensors.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "data/one_line.hpp"
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

/// Hands all bytes of the file, in order, to `put`; each tensor whole.
template <typename Put>
void write_body(const Metadata& metadata, std::span<const TensorView> tensors, const Put& put) {
  const std::vector<const TensorView*> order = in_file_order(tensors);
  const std::string header = make_header(metadata, order);
  if (header.size() > kMaxHeaderBytes)
    throw std::invalid_argument(fmt::format("names and metadata would need a header of {} bytes, more than the {} that can be read again",
                                            header.size(), kMaxHeaderBytes));
  std::array<std::byte, kLengthBytes> length;
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<std::byte>(std::uint64_t{header.size()} >> (8 * i));
  }
  put(length);
  put(std::as_bytes(std::span(header)));
  for (const TensorView* tensor : order) put(tensor->bytes);
}

constexpr std::size_t kSealBytes = 8;
using Seal = std::array<std::uint8_t, kSealBytes>;

class Hash {
 public:
  void add(std::span<const std::byte> bytes) { XXH64_update(state_.get(), bytes.data(), bytes.size()); }
  Seal seal() const {
    const std::uint64_t digest = XXH64_digest(state_.get());
    Seal bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(digest >> (8 * i));
    return bytes;
  }

 private:
  struct Free {
    void operator()(XXH64_state_t* state) const { XXH64_freeState(state); }
  };
  static XXH64_state_t* fresh() {
    XXH64_state_t* state = XXH64_createState();
    XXH64_reset(state, 0);
    return state;
  }
  std::unique_ptr<XXH64_state_t, Free> state_{fresh()};
};

/// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
double from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  double size = std::ldexp(exponent == 0 ? fraction : 0x400 + fraction, std::max(exponent, 1) - 25);
  if (exponent == 0x1f) size = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  return bits & 0x8000 ? -size : size;
}

/// The upper half of an f32.
double from_bfloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

}  // namespace

std::optional<std::vector<double>> TensorRecord::numbers() const {
  const auto converted = [](const auto& elements, const auto& convert) {
    std::vector<double> numbers(elements.size());
    std::transform(elements.begin(), elements.end(), numbers.begin(), convert);
    return numbers;
  };
  const auto plain = [](auto number) { return static_cast<double>(number); };
  switch (type) {
    case FileType::f64: return converted(values<double>(), plain);
    case FileType::f32: return converted(values<float>(), plain);
    case FileType::f16: return converted(values<std::uint16_t>(), from_half);
    case FileType::bf16: return converted(values<std::uint16_t>(), from_bfloat);
    default: return {};
  }
}

const TensorRecord* SafetensorsFile::find(std::string_view name) const {
  const auto place = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const TensorRecord& t, std::string_view wanted) { return t.name < wanted; });
  return place != tensors.end() && place->name == name ? &*place : nullptr;
}

const TensorRecord& SafetensorsFile::require(std::string_view name, FileType type) const {
  const TensorRecord* tensor = find(name);
  if (tensor == nullptr) {
    throw FileFormatError(fmt::format("{} has no tensor {}", path.string(), data::in_quotes(name)));
  }
  if (tensor->type != type) {
    throw FileFormatError(fmt::format("{}: tensor {} is {}, expected {}", path.string(),
                                      data::in_quotes(name), file_type_name(tensor->type),
                                      file_type_name(type)));
  }
  return *tensor;
}

const TensorRecord& SafetensorsFile::require(std::string_view name, FileType type,
                                             const FileShape& shape) const {
  const TensorRecord& tensor = require(name, type);
  if (tensor.shape != shape) {
    throw FileFormatError(fmt::format("{}: tensor {} has shape {}, expected {}", path.string(),
                                      data::in_quotes(name), shape_text(tensor.shape),
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
  AtomicFile file(path);
  write_body(metadata, tensors, [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

void write_sealed_safetensors(const std::filesystem::path& path, const Metadata& metadata,
                              std::span<const TensorView> tensors) {
  Seal seal{};
  std::vector<TensorView> all(tensors.begin(), tensors.end());
  all.push_back(view_of<std::uint8_t>(std::string(kSealName), {kSealBytes}, seal));
  if (in_file_order(all).back()->name != kSealName)
    throw std::invalid_argument(fmt::format("a tensor would lie behind the seal {}", kSealName));
  AtomicFile file(path);
  Hash hash;
  write_body(metadata, all, [&](std::span<const std::byte> bytes) {
    if (bytes.data() == std::as_bytes(std::span(seal)).data()) seal = hash.seal();
    else hash.add(bytes);
    file.write(bytes);
  });
  file.commit();
}

SafetensorsFile read_sealed_safetensors(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  Hash hash;
  std::vector<char> chunk(1U << 20U);  // its first bytes: those that may be the seal
  std::size_t held = 0;
  while (stream) {
    stream.read(chunk.data() + held, static_cast<std::streamsize>(chunk.size() - held));
    held += static_cast<std::size_t>(stream.gcount());
    if (held <= kSealBytes) continue;
    hash.add(std::as_bytes(std::span(chunk).first(held - kSealBytes)));
    std::copy_n(chunk.begin() + static_cast<std::ptrdiff_t>(held - kSealBytes), kSealBytes, chunk.begin());
    held = kSealBytes;
  }
  const Seal seal = hash.seal();
  const std::span<const std::byte> found = std::as_bytes(std::span(chunk).first(held)), wanted = std::as_bytes(std::span(seal));
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error) && !std::equal(found.begin(), found.end(), wanted.begin(), wanted.end())) {
    throw FileFormatError(fmt::format(
        "cannot read {}: it is damaged, its last {} bytes are not the hash of those before them", path.string(), kSealBytes));
  }
  SafetensorsFile file = read_safetensors(path);
  (void)file.require(kSealName, FileType::u8, {kSealBytes});
  return file;
}

}  // namespace autodidact::train
