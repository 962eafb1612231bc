#include "data/augment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace autodidact::data {

namespace {

constexpr std::array<std::pair<Augment, std::string_view>, 3> kNames = {{
    {Augment::none, "none"},
    {Augment::crop_flip, "crop-flip"},
    {Augment::crop_flip_cutout, "crop-flip-cutout"},
}};

// A number of 0 … bound−1.
int draw(engine::Random& random, int bound) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(bound)));
}

}  // namespace

Augment parse_augment(std::string_view name) {
  std::string list;
  for (const auto& [augment, known] : kNames) {
    if (known == name) return augment;
    list += fmt::format("{}{}", list.empty() ? "" : ", ", known);
  }
  throw std::invalid_argument(
      fmt::format("unknown augmentation \"{}\", expected one of {}", name, list));
}

std::string_view augment_name(Augment augment) {
  return kNames[static_cast<std::size_t>(augment)].second;
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
    : options_(options), shape_(shape), image_(shape.bytes()), cropped_(shape.bytes()) {
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

void Augmentation::apply(engine::Random random, std::span<float> out) {
  if (options_.kind != Augment::none) {
    const int top = draw(random, 2 * options_.border + 1);
    const int left = draw(random, 2 * options_.border + 1);
    crop(image_, cropped_, shape_, top, left, options_.border, options_.fill);
    image_.swap(cropped_);
    if (random.chance(0.5)) flip(image_, shape_);
  }
  if (options_.kind == Augment::crop_flip_cutout) {
    const int row = draw(random, shape_.height), column = draw(random, shape_.width);
    cut_out(image_, shape_, row, column, shape_.height / 2);
  }
  const std::size_t plane = image_.size() / normalised_.size();
  for (std::size_t c = 0; c < normalised_.size(); ++c) {
    const auto& table = normalised_[c];
    for (std::size_t p = c * plane; p < (c + 1) * plane; ++p) out[p] = table[image_[p]];
  }
}

}  // namespace autodidact::data
