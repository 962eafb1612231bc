#include "data/network_input.hpp"

#include <doctest/doctest.h>

#include "data/error.hpp"
#include "data/png.hpp"
#include "data/resize.hpp"
#include "tests/data/scratch_folder.hpp"

namespace {
using namespace autodidact::data;

Image image_of(int channels, int side) {
  Image image{{channels, side, side}, {}};
  for (std::size_t i = 0; i < image.shape.bytes(); ++i) image.pixels.push_back(static_cast<std::uint8_t>(i * 37));
  return image;
}
std::string written(const ScratchFolder& folder, const Image& image) { return folder.write("image.png", encode_png(image)); }
}  // namespace

TEST_CASE("network input: an image that fits is taken as it is") {
  const ScratchFolder folder;
  for (const int channels : {1, 3}) {
    const Image image = image_of(channels, 9);
    CHECK(read_network_input(written(folder, image), image.shape).pixels == image.pixels);
  }
}

TEST_CASE("network input: grey is repeated for a network of colours, and colours become grey by their weights") {
  const ScratchFolder folder;
  const Image grey = image_of(1, 8);
  const Image colours = read_network_input(written(folder, grey), {3, 8, 8});
  for (std::size_t i = 0; i < colours.pixels.size(); ++i) CHECK(colours.pixels[i] == grey.pixels[i % 64]);
  Image colour{{3, 8, 8}, std::vector<std::uint8_t>(192)};
  for (std::size_t i = 0; i < 64; ++i) {  // pure red, green, blue, white
    const auto on = [&](std::size_t c) { return static_cast<std::uint8_t>(i % 4 == c || i % 4 == 3 ? 255 : 0); };
    for (std::size_t c = 0; c < 3; ++c) colour.pixels[c * 64 + i] = on(c);
  }
  const Image again = read_network_input(written(folder, colour), {1, 8, 8});
  const std::uint8_t expected[] = {76, 150, 29, 255};  // Pillow 9.4, Image.convert("L")
  for (std::size_t i = 0; i < 64; ++i) CHECK(again.pixels[i] == expected[i % 4]);
}

TEST_CASE("network input: 28 pixels get a border where the network takes 32") {
  const ScratchFolder folder;
  const Image small = image_of(1, 28);
  const Image framed = read_network_input(written(folder, small), {1, 32, 32});
  for (std::size_t y = 0; y < 32; ++y)
    for (std::size_t x = 0; x < 32; ++x) {
      const bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
      CHECK(framed.pixels[y * 32 + x] == (inside ? small.pixels[(y - 2) * 28 + x - 2] : 0));
    }
}

TEST_CASE("network input: another size is framed as test images of folders are") {
  const ScratchFolder folder;
  const Image wide{{1, 40, 60}, std::vector<std::uint8_t>(2400, 77)};
  const Image framed = read_network_input(written(folder, wide), {1, 32, 32});
  CHECK(framed.shape == ImageShape{1, 32, 32});
  CHECK(framed.pixels == frame(wide, {1, 32, usual_resize(32)}).pixels);
}

TEST_CASE("network input: where training brought images to a size, each is framed as it did") {
  const ScratchFolder folder;
  for (const int side : {28, 32}) {
    const Image image = image_of(1, side);
    CHECK(read_network_input(written(folder, image), {1, 32, 32}, 40).pixels == frame(image, {1, 32, 40}).pixels);
  }
}

TEST_CASE("network input: what is no image is refused with the file's name") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH_AS(read_network_input(folder.write("text.png", std::string("text")), {1, 32, 32}), doctest::Contains("text.png"), DataError);
  CHECK_THROWS_AS(read_network_input(folder / "none.png", {1, 32, 32}), DataError);
  CHECK_THROWS_AS(read_network_input(written(folder, image_of(1, 8)), {4, 8, 8}), DataError);
}
