// data/png.hpp: PNG files in and out.
//
// Read are PNGs of every colour type and depth, interlaced or not: grey ones as one channel, palettes and colours as three; 16 bits
// are cut to their upper 8, transparency is dropped (not laid over a colour), gamma and colour profiles are ignored, all as
// Pillow's convert("L") and convert("RGB") do for such files.
// Files are untrusted: the sides are compared with the limits of image_file.hpp before anything of the image's size is allocated, chunks that are not
// pixels may take 8 MB when unpacked, and a file is refused, not repaired, where it ends early, goes on after its end, or a checksum is wrong.
#pragma once
#include <filesystem>
#include <string>

#include "data/image.hpp"

namespace autodidact::data {

bool is_png(ConstBytes file);  // by its first bytes

// DataError naming the file where it is missing, no PNG, damaged, or above a limit.
Image read_png(const std::filesystem::path& path);
// The same from memory; `name` is what errors call it.
Image decode_png(ConstBytes file, const std::string& name);

// The bytes of a PNG file. The image has 1 or 3 channels, else std::invalid_argument.
std::string encode_png(const Image& image);

}  // namespace autodidact::data
