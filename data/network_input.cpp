#include "data/network_input.hpp"

#include <fmt/format.h>

#include <memory>

#include "data/dataset.hpp"
#include "data/error.hpp"
#include "data/png.hpp"

namespace autodidact::data {
namespace {

Image grey_of(const Image& image) {
  Image grey{{1, image.shape.height, image.shape.width}, {}};
  const std::size_t plane = image.shape.plane();
  for (std::size_t i = 0; i < plane; ++i) {
    const std::uint32_t sum = 19595U * image.pixels[i] + 38470U * image.pixels[plane + i] + 7471U * image.pixels[2 * plane + i] + 0x8000U;
    grey.pixels.push_back(static_cast<std::uint8_t>(sum >> 16));
  }
  return grey;
}

Image with_channels(Image image, int channels) {
  if (image.shape.channels == channels) return image;
  if (channels == 1) return grey_of(image);
  Image repeated{{channels, image.shape.height, image.shape.width}, {}};
  for (int c = 0; c < channels; ++c) repeated.pixels.insert(repeated.pixels.end(), image.pixels.begin(), image.pixels.end());
  return repeated;
}

Image with_border(Image image, int border) {
  const auto one = std::make_shared<MemoryDataset>(MemoryDataset::Content{image.shape, std::move(image.pixels), {0}, {"image"}, {}});
  const PaddedDataset padded(one, border, 0);
  Image larger{padded.shape(), std::vector<std::uint8_t>(padded.shape().bytes())};
  padded.copy_image(0, larger.pixels);
  return larger;
}
}  // namespace

Image read_network_input(const std::filesystem::path& path, ImageShape wanted) {
  constexpr int kSmallSide = 28, kBorder = 2;
  Image image = read_png(path);
  if (wanted.channels != 1 && wanted.channels != 3)
    throw DataError(fmt::format("{}: an image file has 1 or 3 channels, the network takes {}", path.string(), wanted.channels));
  image = with_channels(std::move(image), wanted.channels);
  if (image.shape.height == kSmallSide && image.shape.width == kSmallSide && wanted.height == kSmallSide + 2 * kBorder)
    image = with_border(std::move(image), kBorder);
  if (image.shape != wanted)
    throw DataError(fmt::format("{}: {}×{} pixels, the network takes {}×{}", path.string(), image.shape.width, image.shape.height,
                                wanted.width, wanted.height));
  return image;
}
}  // namespace autodidact::data
