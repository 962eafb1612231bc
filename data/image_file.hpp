// data/image_file.hpp: image files, PNG or JPEG by their first bytes, and how large they may be.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include "data/image.hpp"

namespace autodidact::data {

// Compared before anything of an image's size is allocated.
inline constexpr int kMaxImageSide = 16384;                           // pixels
inline constexpr std::size_t kMaxImagePixels = std::size_t{1} << 26;  // 8192 × 8192
inline constexpr std::size_t kMaxImageFileBytes = std::size_t{1} << 28;

// DataError naming the image and the limit.
void check_image_size(const std::string& name, std::size_t width, std::size_t height);

// Bytes c₀c₁c₂ c₀c₁c₂ … as libraries keep them, as planes. pixels.size() == shape.bytes().
std::vector<std::uint8_t> planes_of(std::vector<std::uint8_t> interleaved, ImageShape shape);

// An image of 1 or 3 channels. DataError naming the file where it is missing, neither PNG nor JPEG, damaged, or above a limit.
Image read_image(const std::filesystem::path& path);
// The same from memory; `name` is what errors call it.
Image decode_image(ConstBytes file, const std::string& name);

}  // namespace autodidact::data
