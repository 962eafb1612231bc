#include "data/random_crop.hpp"

#include <cmath>

namespace autodidact::data {

namespace {

constexpr double kLeastArea = 0.08, kLeastRatio = 3.0 / 4, kMostRatio = 4.0 / 3;
constexpr int kTries = 10;

int draw(engine::Random& random, int bound) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(bound)));
}

Box largest_in_the_middle(int height, int width) {
  const double ratio = static_cast<double>(width) / height;
  int h = height, w = width;
  if (ratio < kLeastRatio) h = static_cast<int>(std::nearbyint(w / kLeastRatio));
  if (ratio > kMostRatio) w = static_cast<int>(std::nearbyint(h * kMostRatio));
  return {(height - h) / 2, (width - w) / 2, h, w};
}

}  // namespace

Box draw_random_crop(int height, int width, engine::Random& random) {
  const double whole = static_cast<double>(height) * width;
  for (int i = 0; i < kTries; ++i) {
    const double area = whole * random.uniform(kLeastArea, 1);
    const double ratio = std::exp(random.uniform(std::log(kLeastRatio), std::log(kMostRatio)));
    const double w = std::nearbyint(std::sqrt(area * ratio)),
                 h = std::nearbyint(std::sqrt(area / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    Box box{0, 0, static_cast<int>(h), static_cast<int>(w)};
    box.top = draw(random, height - box.height + 1);
    box.left = draw(random, width - box.width + 1);
    return box;
  }
  return largest_in_the_middle(height, width);
}

}  // namespace autodidact::data
