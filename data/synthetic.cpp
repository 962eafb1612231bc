#include "data/synthetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "data/file.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

using engine::Purpose;
using engine::Random;

namespace {

// The "epoch" of each stream of numbers.
enum Stream : std::uint64_t { kTrainSamples = 0, kTestSamples = 1, kPatterns = 2 };

constexpr int kGrid = 4;           // random colours a side
constexpr double kNoise = 40;      // the largest that is added or taken away, of 255
constexpr double kMiddle = 127.5;  // what low contrast fades to

void check(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw std::invalid_argument(
        fmt::format("synthetic: {} must be {} to {}, got {}", name, low, high, value));
  }
}

// The pattern of a class, C·H·W, 0 … 255; it closes on itself at the border, so that it can be moved around.
std::vector<double> make_pattern(const SyntheticOptions& o, int class_number) {
  Random random(o.seed, Purpose::synthetic, kPatterns, static_cast<std::uint64_t>(class_number));
  std::vector<double> pattern;
  for (int c = 0; c < o.channels; ++c) {
    double colour[kGrid][kGrid];
    for (auto& row : colour) {
      for (double& value : row) value = random.uniform(0, 255);
    }
    // Weight of each grid line at a pixel: a smooth step between two neighbours.
    const auto between = [&](int pixel, int& line, double& weight) {
      const double position = static_cast<double>(pixel) * kGrid / o.side;
      line = static_cast<int>(position);
      const double t = position - line;
      weight = t * t * (3 - 2 * t);
    };
    for (int y = 0; y < o.side; ++y) {
      for (int x = 0; x < o.side; ++x) {
        int i = 0, j = 0;
        double v = 0, u = 0;
        between(y, i, v);
        between(x, j, u);
        const int below = (i + 1) % kGrid, right = (j + 1) % kGrid;
        pattern.push_back((1 - v) * ((1 - u) * colour[i][j] + u * colour[i][right]) +
                          v * ((1 - u) * colour[below][j] + u * colour[below][right]));
      }
    }
  }
  return pattern;
}

void draw_sample(const SyntheticOptions& o, const std::vector<double>& pattern, Random& random,
                 std::uint8_t* pixels) {
  const int reach = o.side / 8;
  const auto move = [&] {
    return static_cast<int>(random.below(static_cast<std::uint64_t>(2 * reach + 1))) - reach +
           o.side;
  };
  const int down = move(), right = move();
  const double contrast = random.uniform(0.6, 1.0);
  std::uint64_t bits = 0;
  int bytes_left = 0;
  const auto noise = [&] {
    if (bytes_left == 0) {
      bits = random.bits();
      bytes_left = 8;
    }
    const double unit = static_cast<double>(bits & 0xff) / 127.5 - 1;
    bits >>= 8;
    --bytes_left;
    return kNoise * unit;
  };
  for (int c = 0; c < o.channels; ++c) {
    for (int y = 0; y < o.side; ++y) {
      for (int x = 0; x < o.side; ++x) {
        const int from = (c * o.side + (y + down) % o.side) * o.side + (x + right) % o.side;
        const double value =
            kMiddle + contrast * (pattern[static_cast<std::size_t>(from)] - kMiddle) + noise();
        *pixels++ = static_cast<std::uint8_t>(std::clamp(std::round(value), 0.0, 255.0));
      }
    }
  }
}

}  // namespace

DatasetPointer make_synthetic(const SyntheticOptions& o, Half half) {
  check("classes", o.classes, 2, 1000);
  check("channels", o.channels, 1, 4);
  check("side", o.side, 4, 4096);
  const ImageShape shape{o.channels, o.side, o.side};
  check("the number of samples", static_cast<std::int64_t>(o.train_samples), o.classes,
        static_cast<std::int64_t>(kMaxFileBytes / shape.bytes()));

  std::vector<std::vector<double>> patterns;
  for (int q = 0; q < o.classes; ++q) patterns.push_back(make_pattern(o, q));
  const auto classes = static_cast<std::size_t>(o.classes);
  const std::size_t count =
      half == Half::train ? o.train_samples : std::max(o.train_samples / 5, classes);
  MemoryDataset::Content content{shape,
                                 std::vector<std::uint8_t>(count * shape.bytes()),
                                 std::vector<std::int32_t>(count),
                                 numbered_classes(o.classes),
                                 {{half == Half::train ? "synthetic train" : "synthetic test", 0}}};
  for (std::size_t i = 0; i < count; ++i) {
    Random random(o.seed, Purpose::synthetic, half == Half::train ? kTrainSamples : kTestSamples,
                  i);
    content.labels[i] = static_cast<std::int32_t>(i % classes);
    draw_sample(o, patterns[i % classes], random, content.pixels.data() + i * shape.bytes());
  }
  return std::make_shared<MemoryDataset>(std::move(content));
}

}  // namespace autodidact::data
