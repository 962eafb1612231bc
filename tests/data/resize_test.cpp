// Resizing and framing against Pillow's own results, bit for bit: tests/oracle/resize.bin.xz.
#include "data/resize.hpp"

#include <doctest/doctest.h>

#include <map>
#include <stdexcept>

#include "data/jpeg.hpp"
#include "tests/data/golden_bytes.hpp"

using namespace autodidact::data;

namespace {

ImageShape read_shape(std::istringstream& words) {
  ImageShape shape;
  words >> shape.channels >> shape.height >> shape.width;
  return shape;
}

Image ramp(ImageShape shape) {
  Image image{shape, std::vector<std::uint8_t>(shape.bytes())};
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(i * 7);
  return image;
}

}  // namespace

TEST_CASE("resized and framed pictures, and what JPEG files hold, are Pillow's, bit for bit") {
  GoldenBytes golden("resize.bin.xz");
  std::vector<Image> images;
  std::map<std::string, int> seen;
  for (std::istringstream words; golden.next_line(words);) {
    CAPTURE(words.str());
    std::string kind;
    words >> kind;
    ++seen[kind];
    if (kind == "image") {
      const ImageShape shape = read_shape(words);
      images.push_back({shape, golden.take(shape.bytes())});
    } else if (kind == "resize") {
      std::size_t i = 0;
      int height = 0, width = 0;
      words >> i >> height >> width;
      const Image result = resize(images.at(i), height, width);
      CHECK((result.pixels == golden.take(result.shape.bytes())));
    } else if (kind == "frame") {
      std::size_t i = 0;
      Framing framing;
      words >> i >> framing.channels >> framing.size >> framing.resize;
      const Image result = frame(images.at(i), framing);
      CHECK(result.shape == ImageShape{framing.channels, framing.size, framing.size});
      CHECK((result.pixels == golden.take(result.shape.bytes())));
      // The same in separate steps, which compute what is not seen too.
      const Image steps = centre_crop(
          resize_short_side(to_channels(images.at(i), framing.channels), framing.resize),
          framing.size);
      CHECK((steps.pixels == result.pixels));
    } else if (kind == "jpeg") {
      std::size_t bytes = 0;
      words >> bytes;
      const ImageShape shape = read_shape(words);
      const Image image = decode_jpeg(golden.take(bytes), "golden");
      CHECK(image.shape == shape);
      CHECK((image.pixels == golden.take(shape.bytes())));
    }
    REQUIRE(words);
  }
  CHECK(seen == std::map<std::string, int>{
                    {"pillow", 1}, {"image", 6}, {"resize", 30}, {"frame", 18}, {"jpeg", 5}});
}

TEST_CASE("a box is resized as if nothing lay around it") {
  const Image image = ramp({3, 12, 15});
  const Box box{3, 4, 6, 7};
  Image cut{{3, 6, 7}, {}};
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 7; ++x)
        cut.pixels.push_back(image.pixels[static_cast<std::size_t>((c * 12 + y + 3) * 15 + x + 4)]);
  CHECK((resize(image, box, 4, 9).pixels == resize(cut, 4, 9).pixels));
  CHECK((resize(image, box, 6, 7).pixels == cut.pixels));  // its own size: as it is
}

TEST_CASE("the middle of a long thin picture costs no more than another") {
  const Image thin = ramp({1, 1, 16384});  // a short side of 256 makes the long one 4,194,304
  const Image middle = frame(thin, {.channels = 1, .size = 224, .resize = 256});
  CHECK(middle.shape == ImageShape{1, 224, 224});
  CHECK_THROWS_WITH_AS(resize_short_side(thin, 256),
                       "an image of 16384×1 pixels cannot be given a short side of 256",
                       std::invalid_argument);
}

TEST_CASE("what cannot be cut out or converted is refused") {
  CHECK_THROWS_WITH_AS(centre_crop(ramp({1, 5, 9}), 6),
                       "an image of 9×5 pixels has no middle of 6×6", std::invalid_argument);
  CHECK_THROWS_WITH_AS(to_channels(ramp({3, 2, 2}), 2),
                       "images of 3 channels cannot be made images of 2", std::invalid_argument);
  CHECK(usual_resize(224) == 256);
  CHECK(usual_resize(32) == 37);
}
