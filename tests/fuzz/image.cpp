// Image files, PNG or JPEG by their first bytes, brought to the size of a network.
#include "data/image_file.hpp"

#include "data/error.hpp"
#include "data/resize.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace autodidact;
  fuzz::parses_or_refuses<data::DataError>([&] {
    const data::Image image = data::decode_image({data, size}, "f.jpg");
    if (image.pixels.size() != image.shape.bytes() || image.pixels.empty()) fuzz::fail("pixels do not fit the shape", "");
    constexpr int kSide = 8;
    const data::Image framed = data::frame(image, {.channels = 3, .size = kSide, .resize = data::usual_resize(kSide)});
    if (framed.shape != data::ImageShape{3, kSide, kSide}) fuzz::fail("a frame is of another size", "");
  });
  return 0;
}
