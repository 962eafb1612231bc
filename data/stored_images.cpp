#include "data/stored_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "data/error.hpp"
#include "data/file.hpp"
#include "data/image_file.hpp"
#include "data/random_crop.hpp"

namespace autodidact::data {

StoredImages::StoredImages(std::shared_ptr<const ImageIndex> index,
                           std::vector<std::string> class_names, int channels,
                           std::optional<Framing> framing, Reading reading)
    : index_(std::move(index)),
      class_names_(std::move(class_names)),
      framing_(framing),
      reading_(reading) {
  for (std::size_t f = 0; f < index_->files.size(); ++f) {
    for (std::size_t i = 0; i < index_->files[f].images.size(); ++i) {
      places_.push_back({static_cast<std::uint32_t>(f), static_cast<std::uint32_t>(i)});
    }
  }
  const int side = framing_ ? framing_->size : common_side(*index_).value_or(0);
  if (side < 1)
    throw std::invalid_argument(
        "stored images: they are of several sizes, or not square, and no size is given");
  shape_ = {channels, side, side};
  for (std::size_t i = 0; i < size(); ++i) {
    if (label(i) >= 0 && label(i) < classes()) continue;
    throw DataError(fmt::format("{}: label {} must be below {}", origin(i), label(i), classes()));
  }
}

Image StoredImages::decode(std::size_t i) const {
  const IndexedImage& known = image(i);
  const std::string& path = index_->files[places_[i].file].path;
  Image decoded = decode_image(read_part(path, known.offset, known.bytes), origin(i));
  if (decoded.shape.height != known.height || decoded.shape.width != known.width) {
    throw DataError(fmt::format("{}: has changed since it was first looked at", origin(i)));
  }
  return to_channels(std::move(decoded), shape_.channels);
}

void StoredImages::copy_image(std::size_t i, std::span<std::uint8_t> pixels) const {
  Image decoded = decode(i);
  if (framing_) decoded = frame(decoded, *framing_);
  std::copy(decoded.pixels.begin(), decoded.pixels.end(), pixels.begin());
}

void StoredImages::copy_random_crop(std::size_t i, engine::Random& random,
                                    std::span<std::uint8_t> pixels) const {
  if (!framing_) return copy_image(i, pixels);
  const Image decoded = decode(i);
  const Box box = draw_random_crop(decoded.shape.height, decoded.shape.width, random);
  const Image cropped = resize(decoded, box, shape_.height, shape_.width);
  std::copy(cropped.pixels.begin(), cropped.pixels.end(), pixels.begin());
}

std::string StoredImages::origin(std::size_t i) const {
  const std::string& path = index_->files[places_[i].file].path;
  return image(i).key.empty() ? path : fmt::format("{}: {}", path, image(i).key);
}

std::vector<std::size_t> StoredImages::shards() const {
  std::vector<std::size_t> sizes;
  if (reading_ == Reading::anyhow) return sizes;
  for (const IndexedFile& file : index_->files) sizes.push_back(file.images.size());
  return sizes;
}

void StoredImages::read_ahead(std::span<const std::uint32_t> samples) const {
  for (std::size_t i = 0; i < samples.size();) {  // one request for all that follow one another in one file
    const std::uint32_t file = places_[samples[i]].file;
    const std::uint64_t begin = image(samples[i]).offset;
    std::uint64_t end = begin;
    for (; i < samples.size() && places_[samples[i]].file == file && image(samples[i]).offset >= end; ++i)
      end = image(samples[i]).offset + image(samples[i]).bytes;
    data::read_ahead(index_->files[file].path, begin, end - begin);
  }
}

std::optional<int> common_side(const ImageIndex& index) {
  std::optional<int> side;
  for (const IndexedFile& file : index.files) {
    for (const IndexedImage& image : file.images) {
      if (image.height != image.width || (side && *side != image.height)) return {};
      side = image.height;
    }
  }
  return side;
}

}  // namespace autodidact::data
