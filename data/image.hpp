// data/image.hpp: a picture in memory: bytes 0 … 255, plain C·H·W (channel, row, column).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace autodidact::data {

struct ImageShape {
  int channels = 0, height = 0, width = 0;
  std::size_t plane() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
  std::size_t bytes() const { return static_cast<std::size_t>(channels) * plane(); }
  bool operator==(const ImageShape&) const = default;
};

using Bytes = std::span<std::uint8_t>;
using ConstBytes = std::span<const std::uint8_t>;

// One that owns its pixels; pixels.size() == shape.bytes().
struct Image {
  ImageShape shape;
  std::vector<std::uint8_t> pixels;
};

// The grey of a colour, 0 … 255: ITU-R 601-2 in whole numbers, as Pillow rounds it.
inline int luminance(int red, int green, int blue) {
  return (19595 * red + 38470 * green + 7471 * blue + (1 << 15)) >> 16;
}

}  // namespace autodidact::data
