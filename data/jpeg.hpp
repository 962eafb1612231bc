// data/jpeg.hpp: JPEG files, read by libjpeg(-turbo).
//
// Read are baseline and progressive JPEGs of 8 bits: grey ones as one channel, colours as three; CMYK as Pillow's convert("RGB")
// takes it (inverted, as Adobe writes it). Decoding is libjpeg's usual one (accurate integer DCT, smooth upsampling of colour), so
// the pixels are Pillow's. The orientation that a camera notes in EXIF is ignored, and so are colour profiles, as torchvision does.
// Files are untrusted: sides are compared with the limits of image_file.hpp before anything of the image's size is allocated, more
// than 100 scans are taken for a bomb, and a file that ends early or whose compressed data are wrong is refused, not repaired. What
// lies behind the end of the image is not looked at: cameras put previews and films there.
#pragma once
#include <string>

#include "data/image.hpp"

namespace autodidact::data {

bool is_jpeg(ConstBytes file);  // by its first bytes

// `name` is what errors call it. DataError where it is no JPEG, damaged, or above a limit.
Image decode_jpeg(ConstBytes file, const std::string& name);

}  // namespace autodidact::data
