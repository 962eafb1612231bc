#include "data/augment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "data/operation.hpp"

namespace autodidact::data {

namespace {

constexpr std::array<std::string_view, 5> kNames = {"none", "crop-flip", "crop-flip-cutout", "seed",
                                                    "randaugment"};

bool has_policy(Augment kind) { return kind == Augment::seed || kind == Augment::randaugment; }

// A number of 0 … bound−1.
int draw(engine::Random& random, int bound) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(bound)));
}

}  // namespace

AugmentOptions parse_augment(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto found = std::find(kNames.begin(), kNames.end(), text.substr(0, colon));
  const auto kind = static_cast<Augment>(found - kNames.begin());
  if (found == kNames.end() || (colon != std::string_view::npos && !has_policy(kind))) {
    throw std::invalid_argument(fmt::format(
        "unknown augmentation \"{}\", expected one of none, crop-flip, crop-flip-cutout, "
        "seed[:cifar10|imagenet|svhn], randaugment[:N,M]",
        text));
  }
  AugmentOptions options{.kind = kind};
  if (colon == std::string_view::npos) return options;
  const std::string_view rest = text.substr(colon + 1);
  if (kind == Augment::seed) {
    options.policy = parse_policy(rest);
  } else {
    options.rand_augment = parse_rand_augment(rest);
  }
  return options;
}

std::string augment_name(const AugmentOptions& options) {
  const std::string name(kNames[static_cast<std::size_t>(options.kind)]);
  if (options.kind == Augment::seed && options.policy != AugmentOptions{}.policy) {
    return fmt::format("{}:{}", name, policy_name(options.policy));
  }
  if (options.kind == Augment::randaugment && options.rand_augment != RandAugment{}) {
    return fmt::format("{}:{},{}", name, options.rand_augment.count,
                       options.rand_augment.magnitude);
  }
  return name;
}

void crop(ConstBytes source, Bytes target, ImageShape shape, int top, int left, int border,
          std::uint8_t fill) {
  const int down = top - border, right = left - border;  // window's corner in the image
  const int first_column = std::clamp(-right, 0, shape.width);
  const int last_column = std::clamp(shape.width - right, first_column, shape.width);
  const std::uint8_t* plane = source.data();
  std::uint8_t* out = target.data();
  for (int c = 0; c < shape.channels; ++c, plane += shape.height * shape.width) {
    for (int y = 0; y < shape.height; ++y, out += shape.width) {
      const int row = y + down;
      if (row < 0 || row >= shape.height || first_column == last_column) {
        std::fill_n(out, shape.width, fill);
        continue;
      }
      std::fill(out, out + first_column, fill);
      std::copy_n(plane + row * shape.width + first_column + right, last_column - first_column,
                  out + first_column);
      std::fill(out + last_column, out + shape.width, fill);
    }
  }
}

void flip(Bytes image, ImageShape shape) {
  std::uint8_t* row = image.data();
  for (int r = 0; r < shape.channels * shape.height; ++r, row += shape.width) {
    std::reverse(row, row + shape.width);
  }
}

void cut_out(Bytes image, ImageShape shape, int centre_row, int centre_column, int length) {
  const auto range = [length](int centre, int side) {
    const int first = centre - length / 2;
    return std::pair{std::clamp(first, 0, side), std::clamp(first + length, 0, side)};
  };
  const auto [top, bottom] = range(centre_row, shape.height);
  const auto [left, right] = range(centre_column, shape.width);
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = top; y < bottom; ++y) {
      std::uint8_t* row = image.data() + (c * shape.height + y) * shape.width;
      std::fill(row + left, row + right, std::uint8_t{0});
    }
  }
}

Augmentation::Augmentation(const Options& options, ImageShape shape,
                           const Normalisation& normalisation)
    : options_(options),
      image_{shape, std::vector<std::uint8_t>(shape.bytes())},
      scratch_(shape.bytes()) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  if (normalisation.mean.size() != channels || normalisation.std.size() != channels) {
    throw std::invalid_argument(
        fmt::format("images of {} channels need as many means and deviations, got {} and {}",
                    channels, normalisation.mean.size(), normalisation.std.size()));
  }
  if (options.border < 0 || options.border > 4096) {
    throw std::invalid_argument(
        fmt::format("the border of a crop must be 0 to 4096 pixels, got {}", options.border));
  }
  if (has_policy(options.kind)) check_operable(shape);
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = normalisation.mean[c], deviation = normalisation.std[c];
    if (!std::isfinite(mean) || !std::isfinite(deviation) || deviation <= 0) {
      throw std::invalid_argument(
          fmt::format("channel {} needs a finite mean and a positive deviation, got {} and {}", c,
                      mean, deviation));
    }
    auto& table = normalised_.emplace_back();
    for (int p = 0; p < 256; ++p) {
      table[static_cast<std::size_t>(p)] = static_cast<float>((p / 255.0 - mean) / deviation);
    }
  }
}

void Augmentation::load(const Dataset& dataset, std::size_t i, engine::Random& random) {
  if (options_.random_crop && options_.kind != Augment::none)
    dataset.copy_random_crop(i, random, image_.pixels);
  else
    dataset.copy_image(i, image_.pixels);
}

ConstBytes Augmentation::augment(engine::Random random) {
  const ImageShape shape = image_.shape;
  if (options_.kind == Augment::none) return image_.pixels;
  if (!options_.random_crop) {
    const int top = draw(random, 2 * options_.border + 1);
    const int left = draw(random, 2 * options_.border + 1);
    crop(image_.pixels, scratch_, shape, top, left, options_.border, options_.fill);
    image_.pixels.swap(scratch_);
  }
  if (random.chance(0.5)) flip(image_.pixels, shape);
  if (options_.kind == Augment::crop_flip) return image_.pixels;

  if (options_.kind == Augment::seed) {
    for (const LeveledOperation& operation : draw_auto_augment(options_.policy, random)) {
      data::apply(operation, image_, scratch_);
    }
  } else if (options_.kind == Augment::randaugment) {
    for (int i = 0; i < options_.rand_augment.count; ++i) {
      data::apply(draw_rand_augment(options_.rand_augment.magnitude, random), image_, scratch_);
    }
  }
  const int row = draw(random, shape.height), column = draw(random, shape.width);
  cut_out(image_.pixels, shape, row, column, shape.height / 2);
  return image_.pixels;
}

void Augmentation::apply(engine::Random random, std::span<float> out) {
  const ConstBytes bytes = augment(random);
  const std::size_t plane = image_.shape.plane();
  for (std::size_t c = 0; c < normalised_.size(); ++c) {
    const auto& table = normalised_[c];
    for (std::size_t p = c * plane; p < (c + 1) * plane; ++p) out[p] = table[bytes[p]];
  }
}

}  // namespace autodidact::data
