#include "data/network_input.hpp"

#include <fmt/format.h>

#include <memory>

#include "data/dataset.hpp"
#include "data/error.hpp"
#include "data/image_file.hpp"
#include "data/resize.hpp"

namespace autodidact::data {
namespace {

Image with_border(Image image, int border) {
  const auto one = std::make_shared<MemoryDataset>(MemoryDataset::Content{image.shape, std::move(image.pixels), {0}, {"image"}, {}});
  const PaddedDataset padded(one, border, 0);
  Image larger{padded.shape(), std::vector<std::uint8_t>(padded.shape().bytes())};
  padded.copy_image(0, larger.pixels);
  return larger;
}
}  // namespace

Image read_network_input(const std::filesystem::path& path, ImageShape wanted, std::optional<int> resize) {
  constexpr int kSmallSide = 28, kBorder = 2;
  Image image = read_image(path);
  if (wanted.channels != 1 && wanted.channels != 3)
    throw DataError(fmt::format("{}: an image file has 1 or 3 channels, the network takes {}", path.string(), wanted.channels));
  image = to_channels(std::move(image), wanted.channels);
  if (resize) return frame(image, {wanted.channels, wanted.height, *resize});
  if (image.shape.height == kSmallSide && image.shape.width == kSmallSide && wanted.height == kSmallSide + 2 * kBorder)
    image = with_border(std::move(image), kBorder);
  if (image.shape == wanted) return image;
  return frame(image, {wanted.channels, wanted.height, usual_resize(wanted.height)});
}
}  // namespace autodidact::data
