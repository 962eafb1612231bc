#include "engine/shape.hpp"

#include <stdexcept>

namespace autodidact::engine {

std::size_t bytes_of(DType type) {
  switch (type) {
    case DType::f64: return 8;
    case DType::f32: return 4;
    case DType::s32: return 4;
    case DType::bf16: return 2;
    case DType::u8: return 1;
  }
  return 0;
}

const char* name_of(DType type) {
  switch (type) {
    case DType::f64: return "f64";
    case DType::f32: return "f32";
    case DType::s32: return "s32";
    case DType::bf16: return "bf16";
    case DType::u8: return "u8";
  }
  return "?";
}

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::reference_f64: return "f64";
    case Precision::f32: return "f32";
    case Precision::bf16: return "bf16";
  }
  return "?";
}

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
  if (extents.size() > kMaxRank) throw std::invalid_argument("a shape has at most five extents");
  for (std::int64_t extent : extents) extents_[static_cast<std::size_t>(rank_++)] = extent;
}

std::int64_t Shape::count() const {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= (*this)[axis];
  return count;
}

std::string Shape::text() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis) text += ',';
    text += std::to_string((*this)[axis]);
  }
  return text + ')';
}

std::int64_t TensorType::channel_blocks() const {
  return shape.rank() == 4 ? (shape[1] + format.block - 1) / format.block : 1;
}

std::int64_t TensorType::elements() const {
  return shape.rank() == 4 ? shape[0] * channel_blocks() * format.block * shape[2] * shape[3]
                           : shape.count();
}

std::size_t TensorType::bytes() const {
  return static_cast<std::size_t>(elements()) * bytes_of(dtype);
}

std::string TensorType::layout_text() const {
  if (shape.rank() != 4 || format.block == 1) return "plain";
  if (format.block == 8 || format.block == 16) return "nChw" + std::to_string(format.block) + "c";
  return "nhwc";
}
}  // namespace autodidact::engine
