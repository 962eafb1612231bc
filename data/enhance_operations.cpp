#include "data/enhance_operations.hpp"

#include <algorithm>
#include <array>

namespace autodidact::data {

namespace {

std::uint8_t blend(int degenerate, int pixel, float factor) {
  const float value =
      static_cast<float>(degenerate) + factor * static_cast<float>(pixel - degenerate);
  return static_cast<std::uint8_t>(static_cast<int>(std::min(std::max(value, 0.0f), 255.0f)));
}

// Where all pixels have the same degenerate value: a table is quicker.
void blend_with_one(Bytes image, int degenerate, float factor) {
  std::array<std::uint8_t, 256> table;
  for (int p = 0; p < 256; ++p) table[static_cast<std::size_t>(p)] = blend(degenerate, p, factor);
  for (std::uint8_t& p : image) p = table[p];
}

}  // namespace

void adjust_color(Bytes image, ImageShape shape, double factor) {
  if (shape.channels != 3) return;
  const auto weight = static_cast<float>(factor);
  std::uint8_t* red = image.data();
  std::uint8_t* green = red + shape.plane();
  std::uint8_t* blue = green + shape.plane();
  for (std::size_t i = 0; i < shape.plane(); ++i) {
    const int grey = luminance(red[i], green[i], blue[i]);
    red[i] = blend(grey, red[i], weight);
    green[i] = blend(grey, green[i], weight);
    blue[i] = blend(grey, blue[i], weight);
  }
}

void adjust_contrast(Bytes image, ImageShape shape, double factor) {
  std::uint64_t sum = 0;
  const std::size_t plane = shape.plane();
  for (std::size_t i = 0; i < plane; ++i) {
    sum += static_cast<std::uint64_t>(
        shape.channels == 3 ? luminance(image[i], image[plane + i], image[2 * plane + i])
                            : image[i]);
  }
  const double mean = static_cast<double>(sum) / static_cast<double>(plane);
  blend_with_one(image, static_cast<int>(mean + 0.5), static_cast<float>(factor));
}

void adjust_brightness(Bytes image, double factor) {
  blend_with_one(image, 0, static_cast<float>(factor));
}

void adjust_sharpness(ConstBytes source, Bytes target, ImageShape shape, double factor) {
  std::copy(source.begin(), source.end(), target.begin());
  const int width = shape.width;
  const auto weight = static_cast<float>(factor);
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 1; y + 1 < shape.height; ++y) {
      const std::size_t at = static_cast<std::size_t>(c) * shape.plane() +
                             static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
      const std::uint8_t* row = source.data() + at;
      std::uint8_t* out = target.data() + at;
      for (int x = 1; x + 1 < width; ++x) {
        const std::uint8_t *above = row - width + x, *below = row + width + x;
        const int sum = above[-1] + above[0] + above[1] + row[x - 1] + 5 * row[x] + row[x + 1] +
                        below[-1] + below[0] + below[1];
        // Pillow adds the thirteenths up in f32; sum/13 + ½ is never nearer than 1/26 to a whole number, so both agree.
        out[x] = blend((2 * sum + 13) / 26, row[x], weight);
      }
    }
  }
}

}  // namespace autodidact::data
