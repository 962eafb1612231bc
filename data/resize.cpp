#include "data/resize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace autodidact::data {

namespace {

constexpr int kWeightBits =
    22;  // a byte times a weight fits into 32 bits, with room for a sum and its rounding

// A stretch of `in` source pixels from `first` on becomes `out` pixels, of which those from `from` on are wanted.
struct Stretch {
  int first = 0, in = 0;
  int out = 0, from = 0, count = 0;
};

// The weighted source pixels of each wanted output pixel.
class Weights {
 public:
  explicit Weights(const Stretch& s) {
    const double scale = static_cast<double>(s.in) / s.out;
    const double width = std::max(scale, 1.0);
    std::vector<double> row;
    for (int o = s.from; o < s.from + s.count; ++o) {
      const double centre = (o + 0.5) * scale;
      const int low = std::max(static_cast<int>(centre - width + 0.5), 0);
      const int high = std::min(static_cast<int>(centre + width + 0.5), s.in);
      row.clear();
      double sum = 0;
      for (int i = low; i < high; ++i) {
        // Multiplied by the inverse, as Pillow does it: a division would round otherwise.
        row.push_back(std::max(0.0, 1.0 - std::abs((i - centre + 0.5) * (1.0 / width))));
        sum += row.back();
      }
      starts_.push_back({s.first + low, static_cast<int>(weights_.size())});
      for (const double w : row) {
        weights_.push_back(static_cast<std::int32_t>(w / sum * (1 << kWeightBits) + 0.5));
      }
    }
    starts_.push_back({0, static_cast<int>(weights_.size())});
  }

  int first(int o) const { return starts_[static_cast<std::size_t>(o)].pixel; }
  std::span<const std::int32_t> of(int o) const {
    const auto begin = static_cast<std::size_t>(starts_[static_cast<std::size_t>(o)].weight);
    const auto end = static_cast<std::size_t>(starts_[static_cast<std::size_t>(o) + 1].weight);
    return {weights_.data() + begin, end - begin};
  }

 private:
  struct Start {
    int pixel, weight;
  };
  std::vector<Start> starts_;
  std::vector<std::int32_t> weights_;
};

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}
constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

Image resize_window(const Image& image, const Stretch& rows, const Stretch& columns) {
  const ImageShape from = image.shape;
  const Weights down(rows), across(columns);
  const int top = down.first(0);
  const int bottom = down.first(rows.count - 1) + static_cast<int>(down.of(rows.count - 1).size());
  const auto width = static_cast<std::size_t>(columns.count);
  std::vector<std::uint8_t> narrow(static_cast<std::size_t>(bottom - top) * width);
  std::vector<std::int32_t> sums(width);
  Image result{{from.channels, rows.count, columns.count}, {}};
  result.pixels.resize(result.shape.bytes());
  std::uint8_t* out = result.pixels.data();
  for (int c = 0; c < from.channels; ++c) {
    const std::uint8_t* plane = image.pixels.data() + static_cast<std::size_t>(c) * from.plane();
    for (int y = top; y < bottom; ++y) {
      const std::uint8_t* source =
          plane + static_cast<std::size_t>(y) * static_cast<std::size_t>(from.width);
      std::uint8_t* target = narrow.data() + static_cast<std::size_t>(y - top) * width;
      for (int x = 0; x < columns.count; ++x) {
        const std::uint8_t* pixel = source + across.first(x);
        std::int32_t sum = kHalf;
        for (const std::int32_t w : across.of(x)) sum += *pixel++ * w;
        target[x] = rounded(sum);
      }
    }
    for (int y = 0; y < rows.count; ++y, out += width) {
      std::fill(sums.begin(), sums.end(), kHalf);
      const std::uint8_t* source =
          narrow.data() + static_cast<std::size_t>(down.first(y) - top) * width;
      for (const std::int32_t w : down.of(y)) {
        for (std::size_t x = 0; x < width; ++x) sums[x] += source[x] * w;
        source += width;
      }
      for (std::size_t x = 0; x < width; ++x) out[x] = rounded(sums[x]);
    }
  }
  return result;
}

struct Sides {
  int height, width;
};
Sides with_short_side(ImageShape shape, int side) {
  const auto longer = [&](int a, int b) {
    return static_cast<int>(static_cast<std::int64_t>(side) * a / b);
  };
  if (shape.width <= shape.height) return {longer(shape.height, shape.width), side};
  return {side, longer(shape.width, shape.height)};
}

// Where the middle begins; halves go to the even number.
int middle(int whole, int part) { return static_cast<int>(std::nearbyint((whole - part) / 2.0)); }

}  // namespace

Image resize(const Image& image, Box box, int height, int width) {
  return resize_window(image, {box.top, box.height, height, 0, height},
                       {box.left, box.width, width, 0, width});
}

Image resize(const Image& image, int height, int width) {
  return resize(image, {0, 0, image.shape.height, image.shape.width}, height, width);
}

Image resize_short_side(const Image& image, int side) {
  constexpr int kMaxLong = 1 << 16;
  const Sides to = with_short_side(image.shape, side);
  if (side < 1 || std::max(to.height, to.width) > kMaxLong) {
    throw std::invalid_argument(
        fmt::format("an image of {}×{} pixels cannot be given a short side of {}",
                    image.shape.width, image.shape.height, side));
  }
  return resize(image, to.height, to.width);
}

Image centre_crop(const Image& image, int side) {
  const ImageShape from = image.shape;
  if (side < 1 || side > std::min(from.height, from.width)) {
    throw std::invalid_argument(fmt::format("an image of {}×{} pixels has no middle of {}×{}",
                                            from.width, from.height, side, side));
  }
  return resize(image, {middle(from.height, side), middle(from.width, side), side, side}, side,
                side);
}

Image to_channels(Image image, int channels) {
  const ImageShape from = image.shape;
  if (from.channels == channels) return image;
  const std::size_t plane = from.plane();
  if (from.channels == 1 && channels == 3) {
    image.pixels.resize(3 * plane);
    std::copy_n(image.pixels.data(), plane, image.pixels.data() + plane);
    std::copy_n(image.pixels.data(), plane, image.pixels.data() + 2 * plane);
  } else if (from.channels == 3 && channels == 1) {
    std::uint8_t* p = image.pixels.data();
    for (std::size_t i = 0; i < plane; ++i) {
      p[i] = static_cast<std::uint8_t>(luminance(p[i], p[plane + i], p[2 * plane + i]));
    }
    image.pixels.resize(plane);
  } else {
    throw std::invalid_argument(
        fmt::format("images of {} channels cannot be made images of {}", from.channels, channels));
  }
  image.shape.channels = channels;
  return image;
}

Image frame(const Image& image, const Framing& framing) {
  if (image.shape.channels != framing.channels) {
    return frame(to_channels(image, framing.channels), framing);
  }
  const Sides to = with_short_side(image.shape, framing.resize);
  const int size = framing.size;
  return resize_window(image, {0, image.shape.height, to.height, middle(to.height, size), size},
                       {0, image.shape.width, to.width, middle(to.width, size), size});
}

}  // namespace autodidact::data
