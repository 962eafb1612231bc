#include "data/mixing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace autodidact::data {

namespace {

constexpr double kLeast = 0.001, kMost = 1000;

void check(const char* name, double value) {
  if (value == 0 || (value >= kLeast && value <= kMost)) return;
  throw std::invalid_argument(
      fmt::format("the A of {} must be 0 or {} to {}, got {}", name, kLeast, kMost, value));
}

// ln of a number with density ∝ x^(a−1)·e^(−x). Marsaglia & Tsang 2000 for a ≥ 1; below, Gamma(a) = Gamma(a+1)·U^(1/a), which is
// often too small for anything but its logarithm.
double draw_log_gamma(double a, engine::Random& random) {
  if (a < 1) {
    const double above = draw_log_gamma(a + 1, random);
    return above + std::log(1 - random.uniform()) / a;
  }
  const double d = a - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double normal = random.normal(), root = 1 + c * normal;
    const double uniform = 1 - random.uniform();  // never 0
    if (root <= 0) continue;
    const double cube = root * root * root;
    if (std::log(uniform) < normal * normal / 2 + d - d * cube + d * std::log(cube)) {
      return std::log(d * cube);
    }
  }
}

void mix_up(const Mix& mix, std::span<float> first, std::span<float> second) {
  const auto mine = static_cast<float>(mix.weight), other = static_cast<float>(1 - mix.weight);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const float a = first[i], b = second[i];
    first[i] = mine * a + other * b;
    second[i] = mine * b + other * a;
  }
}

void swap_box(const Mix& mix, std::span<float> first, std::span<float> second, ImageShape shape) {
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = mix.top; y < mix.bottom; ++y) {
      const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(c * shape.height + y) * shape.width;
      std::swap_ranges(first.begin() + row + mix.left, first.begin() + row + mix.right,
                       second.begin() + row + mix.left);
    }
  }
}

}  // namespace

void check_mixing(const MixingOptions& options) {
  check("mixup", options.mixup);
  check("CutMix", options.cutmix);
  const double p = options.cutmix_probability;
  if (!(p >= 0 && p <= 1)) throw std::invalid_argument(fmt::format("the probability of CutMix must be 0 to 1, got {}", p));
}

double draw_beta(double a, engine::Random& random) {
  const double first = draw_log_gamma(a, random), second = draw_log_gamma(a, random);
  return 1 / (1 + std::exp(second - first));
}

Mix draw_mix(const MixingOptions& options, ImageShape shape, engine::Random random) {
  Mix mix;
  if (!options.any()) return mix;
  const bool even = random.chance(0.5);
  mix.box = options.mixup > 0 && options.cutmix > 0 ? even : options.cutmix > 0;
  if (mix.box && options.cutmix_probability < 1 && !random.chance(options.cutmix_probability)) return {};
  mix.weight = draw_beta(mix.box ? options.cutmix : options.mixup, random);
  if (!mix.box) return mix;

  const double share = std::sqrt(1 - mix.weight);  // of each side
  const auto range = [&](int side, int& first, int& last) {
    const int centre = static_cast<int>(random.below(static_cast<std::uint64_t>(side)));
    const int half = static_cast<int>(side * share) / 2;
    first = std::max(centre - half, 0);
    last = std::min(centre + half, side);
  };
  range(shape.height, mix.top, mix.bottom);
  range(shape.width, mix.left, mix.right);
  const double area = static_cast<double>(mix.bottom - mix.top) * (mix.right - mix.left);
  mix.weight = 1 - area / static_cast<double>(shape.plane());
  return mix;
}

void mix_images(const Mix& mix, std::span<float> images, ImageShape shape, std::size_t count) {
  if (mix.weight == 1) return;
  const std::size_t size = shape.bytes();
  for (std::size_t n = 0; n < count / 2; ++n) {
    const auto first = images.subspan(n * size, size);
    const auto second = images.subspan((count - 1 - n) * size, size);
    if (mix.box) {
      swap_box(mix, first, second, shape);
    } else {
      mix_up(mix, first, second);
    }
  }
}

}  // namespace autodidact::data
