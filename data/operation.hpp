// data/operation.hpp: the operations of augmentation policies by name, with a level for their strength.
//
// Source    Cubuk et al. 2019, AutoAugment, arXiv:1805.09501, table 6, as the policies' published code reads it for Pillow.
// Levels    0 … 9, linear; fractions are on the same line, greater levels beyond it, limited where a value has an end:
//     shearX, shearY           slope 0 … 0.3                         signed
//     translateX, translateY   0 … 150/331 of the side               signed
//     rotate                   0 … 30 degrees                        signed, positive is counter-clockwise
//     color, contrast, brightness, sharpness   1 ± (0 … 0.9), ≥ 0    signed
//     posterize                bits round(8 … 4), ≥ 1
//     solarize                 threshold 256 … 0, ≥ 0
//     autocontrast, equalize, invert, identity                       no level
// The pixels: geometric_, enhance_ and point_operations.hpp; fill is 128.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "data/image.hpp"

namespace autodidact::data {

enum class Operation {
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  rotate,
  color,
  contrast,
  brightness,
  sharpness,
  posterize,
  solarize,
  autocontrast,
  equalize,
  invert,
  identity,
};
inline constexpr int kOperations = 15;

enum class LevelUse {
  none,
  plain,
  sign
};  // whether an operation has a level, and whether that has a sign

std::string_view operation_name(Operation operation);
LevelUse level_use(Operation operation);

inline constexpr std::uint8_t kOperationFill = 128;
inline constexpr double kMaxLevel = 9;  // of the policies

// One operation with its signed level.
struct LeveledOperation {
  Operation operation = Operation::identity;
  double level = 0;
};

// "shearX:5", "shearX:-5", "equalize"; the level within ±kMaxLevel. Anything else: std::invalid_argument with what is expected.
LeveledOperation parse_operation(std::string_view text);

// std::invalid_argument unless operations can be applied to pictures of this shape: 1 or 3 channels, sides of 1 … kMaxSide.
void check_operable(ImageShape shape);

// Changes the picture; `scratch` is for its use and grows to the picture's size.
void apply(LeveledOperation operation, Image& image, std::vector<std::uint8_t>& scratch);

}  // namespace autodidact::data
