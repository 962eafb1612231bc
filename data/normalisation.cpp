#include "data/normalisation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace autodidact::data {

Normalisation cifar_normalisation() { return {{.4914f, .4822f, .4465f}, {.2023f, .1994f, .2010f}}; }

Normalisation imagenet_normalisation(int channels) {
  if (channels == 1) return {{.449f}, {.226f}};
  return {{.485f, .456f, .406f}, {.229f, .224f, .225f}};
}

Normalisation measure_normalisation(const Dataset& dataset, std::size_t most) {
  if (dataset.size() == 0) {
    throw std::invalid_argument("the mean and deviation of an empty dataset are not defined");
  }
  const ImageShape shape = dataset.shape();
  const std::size_t channels = static_cast<std::size_t>(shape.channels),
                    plane = shape.bytes() / channels;
  std::vector<std::uint8_t> image(shape.bytes());
  // 2^64 / 255² > 2^48 pixels a channel fit.
  std::vector<std::uint64_t> sums(channels), squares(channels);
  const std::size_t samples = std::min(most, dataset.size());
  for (std::size_t i = 0; i < samples; ++i) {
    dataset.copy_image(i * dataset.size() / samples, image);
    for (std::size_t c = 0; c < channels; ++c) {
      std::uint64_t sum = 0, square = 0;
      for (std::size_t p = c * plane; p < (c + 1) * plane; ++p) {
        sum += image[p];
        square += std::uint64_t{image[p]} * image[p];
      }
      sums[c] += sum;
      squares[c] += square;
    }
  }
  Normalisation result;
  const double count = static_cast<double>(samples * plane);
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sums[c]) / count;
    const double variance = static_cast<double>(squares[c]) / count - mean * mean;
    result.mean.push_back(static_cast<float>(mean / 255));
    result.std.push_back(variance > 0 ? static_cast<float>(std::sqrt(variance) / 255) : 1.0f);
  }
  return result;
}

}  // namespace autodidact::data
