// Reads and writes safetensors, the file format for weights that PyTorch, NumPy and JAX users exchange.
//
// Source   https://github.com/huggingface/safetensors, "Format".
// Layout   8 bytes: length of the header, unsigned, little-endian
//          header: a JSON object {"name": {"dtype": "F32", "shape": [64, 3, 3, 3], "data_offsets": [begin, end]}, …},
//                  offsets counted from the end of the header; "__metadata__" maps strings to strings
//          data:   the tensors, row-major, little-endian, without a gap
//
// Reading treats the file as hostile: nothing is allocated or copied before the lengths it rests on have been compared
// with the size of the file, and all that the format forbids (equal names, holes, overlaps, trailing bytes, sizes that
// disagree with shapes, deep nesting) is refused. Every refusal is a FileFormatError of one sentence that names file,
// tensor and numbers.
// Writing is deterministic: tensors lie by size of element, largest first, then by name, so each is aligned to its
// element; the data begins at a multiple of 8 bytes; the file is replaced atomically (train/atomic_file.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace autodidact::train {

/// Types of elements as they lie in files. f16 and bf16 are kept as raw bytes, two per element; numbers() understands them.
enum class FileType { f64, f32, i64, i32, u8, bf16, f16 };

std::string_view file_type_name(FileType type);  ///< "F32", as in the header
std::size_t file_type_size(FileType type);       ///< bytes per element

template <typename T>
constexpr FileType file_type_of() {
  if constexpr (std::is_same_v<T, double>) {
    return FileType::f64;
  } else if constexpr (std::is_same_v<T, float>) {
    return FileType::f32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return FileType::i64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return FileType::i32;
  } else {
    static_assert(std::is_same_v<T, std::uint8_t>, "no type of this kind in a file");
    return FileType::u8;
  }
}

using FileShape = std::vector<std::int64_t>;  ///< {} is a scalar
using Metadata = std::map<std::string, std::string>;

/// A tensor to be written; the bytes stay the caller's and must live until write_safetensors returns.
struct TensorView {
  std::string name;
  FileType type = FileType::f32;
  FileShape shape;
  std::span<const std::byte> bytes;
};

template <typename T>
TensorView view_of(std::string name, FileShape shape, std::span<const T> values) {
  return {std::move(name), file_type_of<T>(), std::move(shape), std::as_bytes(values)};
}

/// A tensor that was read.
struct TensorRecord {
  std::string name;
  FileType type = FileType::f32;
  FileShape shape;
  std::vector<std::byte> bytes;

  /// The elements; T must match `type`, as after SafetensorsFile::require.
  template <typename T>
  std::span<const T> values() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  /// The elements of F64, F32, F16 or BF16; nothing for other types.
  std::optional<std::vector<double>> numbers() const;
};

/// A file that was read: tensors sorted by name.
struct SafetensorsFile {
  std::filesystem::path path;
  Metadata metadata;
  std::vector<TensorRecord> tensors;

  /// Null where there is no such tensor.
  const TensorRecord* find(std::string_view name) const;
  /// Throws FileFormatError where the tensor is missing or of another type.
  const TensorRecord& require(std::string_view name, FileType type) const;
  /// As above, and where it is of another shape.
  const TensorRecord& require(std::string_view name, FileType type, const FileShape& shape) const;
};

/// Throws FileFormatError as said above, also where there is no such file.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

/// Throws std::invalid_argument where two names are equal, a name is reserved or bytes do not fit a shape; ResourceError
/// where the disk refuses, with an older file left as it was. Text that is not UTF-8 is written with U+FFFD in its place.
void write_safetensors(const std::filesystem::path& path, const Metadata& metadata,
                       std::span<const TensorView> tensors);

/// As above, with a seal: the file's last 8 bytes, a tensor U8 (8) named kSealName, are the XXH64 (little-endian) of all bytes before
/// them, header included. No other tensor of 1-byte elements may have a name behind it: std::invalid_argument.
void write_sealed_safetensors(const std::filesystem::path& path, const Metadata& metadata,
                              std::span<const TensorView> tensors);
/// Throws FileFormatError where any byte is not as it was written; looks at the seal before anything is parsed.
SafetensorsFile read_sealed_safetensors(const std::filesystem::path& path);
inline constexpr std::string_view kSealName = "xxh64";

}  // namespace autodidact::train
