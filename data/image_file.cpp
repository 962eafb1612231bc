#include "data/image_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "data/error.hpp"
#include "data/file.hpp"
#include "data/jpeg.hpp"
#include "data/png.hpp"

namespace autodidact::data {

void check_image_size(const std::string& name, std::size_t width, std::size_t height) {
  if (width >= 1 && height >= 1 && std::max(width, height) <= kMaxImageSide &&
      width * height <= kMaxImagePixels)
    return;
  throw DataError(fmt::format("{}: {}×{} pixels, at most {} a side and {} in all are read", name,
                              width, height, kMaxImageSide, kMaxImagePixels));
}

std::vector<std::uint8_t> planes_of(std::vector<std::uint8_t> interleaved, ImageShape shape) {
  if (shape.channels == 1) return interleaved;
  std::vector<std::uint8_t> planes(interleaved.size());
  const auto channels = static_cast<std::size_t>(shape.channels);
  for (std::size_t c = 0; c < channels; ++c) {
    std::uint8_t* plane = planes.data() + c * shape.plane();
    for (std::size_t i = 0; i < shape.plane(); ++i) plane[i] = interleaved[i * channels + c];
  }
  return planes;
}

Image decode_image(ConstBytes file, const std::string& name) {
  if (is_png(file)) return decode_png(file, name);
  if (is_jpeg(file)) return decode_jpeg(file, name);
  throw DataError(fmt::format("{}: is neither a PNG nor a JPEG file", name));
}

Image read_image(const std::filesystem::path& path) {
  return decode_image(read_plain_file(path, kMaxImageFileBytes), path.string());
}

}  // namespace autodidact::data
