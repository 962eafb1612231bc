#include "data/point_operations.hpp"

#include <algorithm>
#include <array>

namespace autodidact::data {

namespace {

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::uint32_t, 256>;

template <typename Function>
Table make_table(Function new_value) {
  Table table;
  for (int p = 0; p < 256; ++p) {
    table[static_cast<std::size_t>(p)] = static_cast<std::uint8_t>(new_value(p));
  }
  return table;
}

void look_up(Bytes pixels, const Table& table) {
  for (std::uint8_t& p : pixels) p = table[p];
}

// Four counters a value: pixels of one value often lie side by side, and each addition would wait for the one before.
Histogram count_values(ConstBytes pixels) {
  std::array<Histogram, 4> parts{};
  std::size_t i = 0;
  for (; i + 4 <= pixels.size(); i += 4) {
    for (std::size_t k = 0; k < 4; ++k) ++parts[k][pixels[i + k]];
  }
  for (; i < pixels.size(); ++i) ++parts[0][pixels[i]];
  Histogram sum;
  for (std::size_t v = 0; v < 256; ++v) {
    sum[v] = parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
  }
  return sum;
}

// The least and the greatest value that occurs.
std::pair<int, int> extremes(ConstBytes pixels) {
  const auto [low, high] = std::minmax_element(pixels.begin(), pixels.end());
  return {*low, *high};
}

template <typename Function>
void each_plane(Bytes image, ImageShape shape, Function change) {
  for (int c = 0; c < shape.channels; ++c) {
    change(image.subspan(static_cast<std::size_t>(c) * shape.plane(), shape.plane()));
  }
}

void equalize_plane(Bytes plane) {
  const Histogram histogram = count_values(plane);
  std::size_t greatest = 255;
  while (greatest > 0 && histogram[greatest] == 0) --greatest;
  const std::uint32_t step = (static_cast<std::uint32_t>(plane.size()) - histogram[greatest]) / 255;
  if (step == 0) return;  // also where only one value occurs
  std::uint32_t below = step / 2;
  Table table;
  for (std::size_t v = 0; v < 256; ++v) {
    table[v] = static_cast<std::uint8_t>(std::min(below / step, 255u));
    below += histogram[v];
  }
  look_up(plane, table);
}

}  // namespace

void invert(Bytes image) {
  for (std::uint8_t& p : image) p = static_cast<std::uint8_t>(255 - p);
}

void solarize(Bytes image, double threshold) {
  look_up(image, make_table([&](int p) { return p < threshold ? p : 255 - p; }));
}

void posterize(Bytes image, int bits) {
  const int mask = ~((1 << (8 - bits)) - 1);
  for (std::uint8_t& p : image) p = static_cast<std::uint8_t>(p & mask);
}

void autocontrast(Bytes image, ImageShape shape) {
  each_plane(image, shape, [](Bytes plane) {
    const auto [low, high] = extremes(plane);
    if (low == high) return;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    look_up(plane, make_table([&](int p) {
              return std::clamp(static_cast<int>(p * scale + offset), 0, 255);
            }));
  });
}

void equalize(Bytes image, ImageShape shape) { each_plane(image, shape, equalize_plane); }

}  // namespace autodidact::data
