#include "train/safetensors_header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "train/errors.hpp"
#include "data/one_line.hpp"
#include "train/strict_json.hpp"

namespace autodidact::train {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDimensions = 64;  // as NumPy; bounds what an array may cost
constexpr std::size_t kMaxNesting = 3;      // file { tensor { shape [
constexpr std::size_t kAlignment = 8;
constexpr const char* kMetadataKey = "__metadata__";

struct TypeRow {
  FileType type;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<TypeRow, 7> kTypes{{{FileType::f64, "F64", 8},
                                         {FileType::f32, "F32", 4},
                                         {FileType::i64, "I64", 8},
                                         {FileType::i32, "I32", 4},
                                         {FileType::u8, "U8", 1},
                                         {FileType::bf16, "BF16", 2},
                                         {FileType::f16, "F16", 2}}};

const TypeRow& row_of(FileType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TypeRow& row) { return row.type == type; });
}

/// Bytes that a tensor of this shape needs; nothing where a dimension is negative or the product overflows.
std::optional<std::uint64_t> byte_size(FileType type, const FileShape& shape) {
  std::uint64_t bytes = file_type_size(type);
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dimension), &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

json parse_json(const std::string& text) {
  try {
    return parse_strict_json(text, {.nesting = kMaxNesting, .array = kMaxDimensions});
  } catch (const std::invalid_argument& error) {
    throw FileFormatError(fmt::format("its header {}", error.what()));
  }
}

Metadata read_metadata(const json& entry) {
  if (!entry.is_object()) throw FileFormatError("its __metadata__ is not an object of strings");
  Metadata metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) {
      throw FileFormatError(fmt::format("its metadata {} is not a string", data::in_quotes(key)));
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw FileFormatError(fmt::format("tensor {} {}", data::in_quotes(name), why));
}

FileType read_type(const std::string& name, const json& value) {
  if (!value.is_string()) refuse(name, "has a dtype that is not a string");
  const auto& text = value.get_ref<const std::string&>();
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& candidate) { return candidate.name == text; });
  if (row == kTypes.end()) {
    refuse(name, fmt::format("has dtype {}; known are F64, F32, F16, BF16, I64, I32 and U8",
                             data::in_quotes(text)));
  }
  return row->type;
}

std::vector<std::uint64_t> read_integers(const std::string& name, const json& entry,
                                         const char* key) {
  const json& value = entry[key];
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), [](const json& number) {
        return number.is_number_unsigned();
      })) {
    refuse(name, fmt::format("has a {} that is not an array of integers ≥ 0", key));
  }
  return value.get<std::vector<std::uint64_t>>();
}

FileShape read_shape(const std::string& name, const json& entry) {
  FileShape shape;
  for (const std::uint64_t dimension : read_integers(name, entry, "shape")) {
    if (dimension > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      refuse(name, fmt::format("has a dimension of {}", dimension));
    }
    shape.push_back(static_cast<std::int64_t>(dimension));
  }
  return shape;
}

HeaderEntry read_entry(const std::string& name, const json& entry, std::uint64_t data_bytes) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    refuse(name, "is not described by exactly dtype, shape and data_offsets");
  }
  const FileType type = read_type(name, entry["dtype"]);
  const FileShape shape = read_shape(name, entry);
  const std::optional<std::uint64_t> needed = byte_size(type, shape);
  if (!needed) {
    refuse(name, fmt::format("has the shape {}, whose size overflows", shape_text(shape)));
  }
  const std::vector<std::uint64_t> offsets = read_integers(name, entry, "data_offsets");
  if (offsets.size() != 2) {
    refuse(name, fmt::format("has {} data_offsets, not 2", offsets.size()));
  }
  const std::uint64_t begin = offsets[0], end = offsets[1];
  if (begin > end) refuse(name, fmt::format("begins at {} but ends at {}", begin, end));
  if (end > data_bytes) {
    refuse(name,
           fmt::format("ends at {}, but the file has only {} bytes of data", end, data_bytes));
  }
  if (end - begin != *needed) {
    refuse(name, fmt::format("has {} bytes, but {} of shape {} needs {}", end - begin,
                             file_type_name(type), shape_text(shape), *needed));
  }
  return {name, type, shape, begin, end};
}

/// The tensors, in order of their place, must cover the data exactly. Then also no two of them overlap.
void require_seamless(const std::vector<HeaderEntry>& entries, std::uint64_t data_bytes) {
  std::vector<const HeaderEntry*> order;
  for (const HeaderEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const HeaderEntry* a, const HeaderEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t covered = 0;
  for (const HeaderEntry* entry : order) {
    if (entry->begin != covered) {
      refuse(entry->name,
             fmt::format("begins at {}, which {}: the tensors before it end at {}", entry->begin,
                         entry->begin < covered ? "overlaps" : "leaves a hole", covered));
    }
    covered = entry->end;
  }
  if (covered != data_bytes) {
    throw FileFormatError(fmt::format(
        "its tensors end at {}, but {} bytes of data follow the header", covered, data_bytes));
  }
}

}  // namespace

std::string_view file_type_name(FileType type) { return row_of(type).name; }
std::size_t file_type_size(FileType type) { return row_of(type).size; }

std::string shape_text(const FileShape& shape) {
  return fmt::format("({})", fmt::join(shape, ","));
}

SafetensorsHeader parse_header(const std::string& text, std::uint64_t data_bytes) {
  if (!text.starts_with('{')) throw FileFormatError("its header does not begin with {");
  const json header_json = parse_json(text);
  SafetensorsHeader header;
  for (const auto& [name, entry] : header_json.items()) {
    if (name == kMetadataKey) {
      header.metadata = read_metadata(entry);
    } else {
      header.entries.push_back(read_entry(name, entry, data_bytes));
    }
  }
  require_seamless(header.entries, data_bytes);
  return header;
}

std::string make_header(const Metadata& metadata, std::span<const TensorView* const> tensors) {
  json header = json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::uint64_t offset = 0;
  for (const TensorView* tensor : tensors) {
    const std::optional<std::uint64_t> needed = byte_size(tensor->type, tensor->shape);
    if (needed != tensor->bytes.size()) {
      throw std::invalid_argument(fmt::format(
          "tensor {} has {} bytes, which is not {} of shape {}", tensor->name, tensor->bytes.size(),
          file_type_name(tensor->type), shape_text(tensor->shape)));
    }
    if (tensor->name == kMetadataKey || header.contains(tensor->name)) {
      throw std::invalid_argument(
          fmt::format("the tensor name {} is reserved or given twice", tensor->name));
    }
    header[tensor->name] = {{"dtype", file_type_name(tensor->type)},
                            {"shape", tensor->shape},
                            {"data_offsets", {offset, offset + *needed}}};
    offset += *needed;
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  return text;
}

}  // namespace autodidact::train
