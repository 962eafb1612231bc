// PNG files, as they are and with the checksums of their chunks put right, behind which damage would otherwise hide.
#include "data/png.hpp"

#include <zlib.h>

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {
using namespace autodidact;

constexpr std::size_t kSignature = 8, kFrame = 12;  // of a chunk: length, type and checksum, 4 bytes each

std::vector<std::uint8_t> with_right_checksums(fuzz::Bytes bytes) {
  std::vector<std::uint8_t> png(bytes.begin(), bytes.end());
  for (std::size_t at = kSignature; at + kFrame <= png.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | png[at + i];
    if (length > png.size() - at - kFrame) break;
    const auto checksum = static_cast<std::uint32_t>(crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4)));
    at += length + kFrame;
    for (std::size_t i = 0; i < 4; ++i) png[at - 4 + i] = static_cast<std::uint8_t>(checksum >> (8 * (3 - i)));
  }
  return png;
}

void decode(fuzz::Bytes bytes) {
  fuzz::parses_or_refuses<data::DataError>([&] {
    const data::Image image = data::decode_png(bytes, "f.png");
    if (image.pixels.size() != image.shape.bytes() || image.pixels.empty()) fuzz::fail("pixels do not fit the shape", "");
    const std::string again = data::encode_png(image);
    if (data::decode_png(fuzz::bytes_of(again), "again.png").pixels != image.pixels) fuzz::fail("what was read and written is not read back", "");
  });
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  decode({data, size});
  decode(with_right_checksums({data, size}));
  return 0;
}
