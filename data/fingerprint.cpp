#include "data/fingerprint.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <algorithm>
#include <vector>

namespace autodidact::data {

std::string fingerprint(const Dataset& dataset) {
  constexpr std::size_t kSamples = 64;
  const ImageShape shape = dataset.shape();
  XXH64_hash_t hash = 0;
  for (const std::string& name : dataset.class_names()) hash = XXH64(name.data(), name.size(), hash);
  std::vector<std::uint8_t> pixels(shape.bytes());
  const std::size_t samples = std::min(kSamples, dataset.size());
  for (std::size_t k = 0; k < samples; ++k) {
    const std::size_t i = k * dataset.size() / samples;
    dataset.copy_image(i, pixels);
    const std::int32_t label = dataset.label(i);
    hash = XXH64(pixels.data(), pixels.size(), hash);
    hash = XXH64(&label, sizeof label, hash);
  }
  return fmt::format("{} images {}x{}x{}, {} classes, {:016x}", dataset.size(), shape.channels, shape.height, shape.width,
                     dataset.classes(), hash);
}
}  // namespace autodidact::data
