// The JSON header of a safetensors file: the part that can lie. From text to entries that are checked, and back.
//
// The layout of a file and the words (dtype, shape, data_offsets) are in train/safetensors.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/safetensors.hpp"

namespace autodidact::train {

/// Where a tensor lies: bytes [begin, end) after the header.
struct HeaderEntry {
  std::string name;
  FileType type = FileType::f32;
  FileShape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  Metadata metadata;
  std::vector<HeaderEntry> entries;  ///< sorted by name
};

/// Understands `text`, which is followed by `data_bytes` bytes of data. Throws FileFormatError, without the file's name,
/// unless every entry has the size its shape needs and the entries cover the data without holes and overlaps.
SafetensorsHeader parse_header(const std::string& text, std::uint64_t data_bytes);

/// The header for `tensors`, which will be written in the order given; its length is a multiple of 8.
/// Throws std::invalid_argument as write_safetensors does.
std::string make_header(const Metadata& metadata, std::span<const TensorView* const> tensors);

/// "(64,3,3,3)"
std::string shape_text(const FileShape& shape);

}  // namespace autodidact::train
