#include "data/operation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "data/enhance_operations.hpp"
#include "data/geometric_operations.hpp"
#include "data/point_operations.hpp"

namespace autodidact::data {

namespace {

struct Entry {
  Operation operation;
  std::string_view name;
  LevelUse use;
};

constexpr std::array<Entry, kOperations> kTable = {{
    {Operation::shear_x, "shearX", LevelUse::sign},
    {Operation::shear_y, "shearY", LevelUse::sign},
    {Operation::translate_x, "translateX", LevelUse::sign},
    {Operation::translate_y, "translateY", LevelUse::sign},
    {Operation::rotate, "rotate", LevelUse::sign},
    {Operation::color, "color", LevelUse::sign},
    {Operation::contrast, "contrast", LevelUse::sign},
    {Operation::brightness, "brightness", LevelUse::sign},
    {Operation::sharpness, "sharpness", LevelUse::sign},
    {Operation::posterize, "posterize", LevelUse::plain},
    {Operation::solarize, "solarize", LevelUse::plain},
    {Operation::autocontrast, "autocontrast", LevelUse::none},
    {Operation::equalize, "equalize", LevelUse::none},
    {Operation::invert, "invert", LevelUse::none},
    {Operation::identity, "identity", LevelUse::none},
}};

// The value of a level ≥ 0. NumPy's linspace, to the last bit, on the whole levels: its last value is the end itself.
double value_of(double first, double last, double level) {
  return level == kMaxLevel ? last : first + level * ((last - first) / kMaxLevel);
}

}  // namespace

std::string_view operation_name(Operation operation) {
  return kTable[static_cast<std::size_t>(operation)].name;
}

LevelUse level_use(Operation operation) { return kTable[static_cast<std::size_t>(operation)].use; }

LeveledOperation parse_operation(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto entry =
      std::find_if(kTable.begin(), kTable.end(), [&](const Entry& e) { return e.name == name; });
  if (entry == kTable.end()) {
    std::string list;
    for (const Entry& e : kTable) list += fmt::format("{}{}", list.empty() ? "" : ", ", e.name);
    throw std::invalid_argument(
        fmt::format("unknown operation \"{}\", expected one of {}", name, list));
  }
  if (entry->use == LevelUse::none) {
    if (colon == std::string_view::npos) return {entry->operation, 0};
    throw std::invalid_argument(fmt::format("{} takes no level, got \"{}\"", name, text));
  }
  const double low = entry->use == LevelUse::sign ? -kMaxLevel : 0;
  const std::string_view number = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  double level = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), level);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  if (!whole || !(level >= low && level <= kMaxLevel)) {
    throw std::invalid_argument(
        fmt::format("{} needs a level from {} to {}, as in {}:5, got \"{}\"", name, low, kMaxLevel,
                    name, text));
  }
  return {entry->operation, level};
}

void check_operable(ImageShape shape) {
  const bool sides =
      std::min(shape.height, shape.width) >= 1 && std::max(shape.height, shape.width) <= kMaxSide;
  if (sides && (shape.channels == 1 || shape.channels == 3)) return;
  throw std::invalid_argument(
      fmt::format("operations work on pictures of 1 or 3 channels and sides of 1 to {} pixels, got "
                  "{} channels of {}×{}",
                  kMaxSide, shape.channels, shape.height, shape.width));
}

void apply(LeveledOperation leveled, Image& image, std::vector<std::uint8_t>& scratch) {
  const ImageShape shape = image.shape;
  const double sign = std::signbit(leveled.level) ? -1 : 1, level = std::abs(leveled.level);
  // The operations that need a copy fill `scratch`, which then becomes the picture.
  const auto into_scratch = [&](auto operation, auto... arguments) {
    scratch.resize(image.pixels.size());
    operation(ConstBytes(image.pixels), Bytes(scratch), shape, arguments...);
    image.pixels.swap(scratch);
  };
  const auto shear = [&] { return value_of(0, 0.3, level) * sign; };
  const auto shift = [&](int side) { return value_of(0, 150.0 / 331, level) * side * sign; };
  const auto factor = [&] { return std::max(1 + value_of(0, 0.9, level) * sign, 0.0); };
  switch (leveled.operation) {
    case Operation::shear_x:
      return into_scratch(shear_x, shear(), kOperationFill);
    case Operation::shear_y:
      return into_scratch(shear_y, shear(), kOperationFill);
    case Operation::translate_x:
      return into_scratch(translate, shift(shape.width), 0.0, kOperationFill);
    case Operation::translate_y:
      return into_scratch(translate, 0.0, shift(shape.height), kOperationFill);
    case Operation::rotate:
      return into_scratch(rotate, value_of(0, 30, level) * sign, kOperationFill);
    case Operation::color:
      return adjust_color(image.pixels, shape, factor());
    case Operation::contrast:
      return adjust_contrast(image.pixels, shape, factor());
    case Operation::brightness:
      return adjust_brightness(image.pixels, factor());
    case Operation::sharpness:
      return into_scratch(adjust_sharpness, factor());
    case Operation::posterize:
      return posterize(image.pixels,
                       std::max(static_cast<int>(std::nearbyint(value_of(8, 4, level))), 1));
    case Operation::solarize:
      return solarize(image.pixels, std::max(value_of(256, 0, level), 0.0));
    case Operation::autocontrast:
      return autocontrast(image.pixels, shape);
    case Operation::equalize:
      return equalize(image.pixels, shape);
    case Operation::invert:
      return invert(image.pixels);
    case Operation::identity:
      return;
  }
}

}  // namespace autodidact::data
