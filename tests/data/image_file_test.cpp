#include "data/image_file.hpp"

#include <doctest/doctest.h>

#include <string>

#include "data/error.hpp"
#include "tests/data/encoded_images.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;

namespace {

ConstBytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string refusal(const std::string& file) {
  try {
    decode_image(bytes_of(file), "x");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

// Where the frame header of a baseline JPEG has its height; its width follows.
std::size_t frame_sides(const std::string& jpeg) { return jpeg.find("\xff\xc0") + 5; }

}  // namespace

TEST_CASE("image files are known by their first bytes, whatever their names") {
  const ScratchFolder folder;
  const Image png = read_image(folder.write("a.jpg", png_of({3, 5, 7}, 1)));
  CHECK(png.shape == ImageShape{3, 5, 7});
  CHECK((png.pixels == numbered_image({3, 5, 7}, 1).pixels));
  CHECK(read_image(folder.write("b.png", jpeg_of({1, 9, 6}, 1))).shape == ImageShape{1, 9, 6});
  CHECK(refusal("GIF89a") == "x: is neither a PNG nor a JPEG file");
  CHECK(refusal("") == "x: is neither a PNG nor a JPEG file");
  CHECK_THROWS_WITH_AS(read_image(folder / "none.png"), (folder / "none.png: no such file").c_str(),
                       DataError);
}

TEST_CASE("images that claim to be huge are refused before anything of their size is allocated") {
  CHECK(refusal(png_claiming(60000, 60000)) ==
        "x: 60000×60000 pixels, at most 16384 a side and 67108864 in all are read");
  CHECK(refusal(png_claiming(16384, 16384)) ==
        "x: 16384×16384 pixels, at most 16384 a side and 67108864 in all are read");
  std::string jpeg = jpeg_of({3, 8, 8}, 0);
  jpeg.replace(frame_sides(jpeg), 4, "\xea\x60\xea\x60");
  CHECK(refusal(jpeg) ==
        "x: 60000×60000 pixels, at most 16384 a side and 67108864 in all are read");
}

TEST_CASE("a JPEG that ends anywhere before its end is refused, and none is read beyond it") {
  const std::string whole = jpeg_of({3, 24, 24}, 3);
  REQUIRE(refusal(whole).empty());
  for (std::size_t size = 3; size < whole.size() - 2; ++size) {
    CAPTURE(size);
    const std::string copy = whole.substr(0, size);
    CHECK(refusal(copy).starts_with("x: damaged JPEG: "));
  }
  CHECK(refusal(whole + "what a camera puts behind the image").empty());
}

TEST_CASE("a JPEG with a wrong byte is an image or a sentence, never more") {
  const std::string whole = jpeg_of({3, 16, 16}, 5);
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    const std::string sentence = refusal(damaged);
    refused += !sentence.empty();
    CHECK((sentence.empty() || sentence.starts_with("x: ")));
  }
  CHECK(refused > 50);
}
