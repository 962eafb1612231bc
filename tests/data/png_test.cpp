#include "data/png.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "data/error.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;

namespace {

Image some_image(ImageShape shape) {
  Image image{shape, {}};
  for (std::size_t i = 0; i < shape.bytes(); ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(i * i / 3));
  }
  return image;
}

ConstBytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string big_endian(std::size_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

std::string chunk(const std::string& type_and_content) {
  const auto checksum = crc32(0, reinterpret_cast<const Bytef*>(type_and_content.data()),
                              static_cast<uInt>(type_and_content.size()));
  return big_endian(type_and_content.size() - 4) + type_and_content + big_endian(checksum);
}

std::string packed(const std::string& rows) {
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string out(size, '\0');
  REQUIRE(compress(reinterpret_cast<Bytef*>(out.data()), &size,
                   reinterpret_cast<const Bytef*>(rows.data()),
                   static_cast<uLong>(rows.size())) == Z_OK);
  out.resize(size);
  return out;
}

const std::string kSignature = "\x89PNG\r\n\x1a\n";

std::string header(std::size_t width, std::size_t height, int depth, int colour_type) {
  return chunk("IHDR" + big_endian(width) + big_endian(height) + static_cast<char>(depth) +
               static_cast<char>(colour_type) + std::string(3, '\0'));
}

// `rows`: each row begins with its filter byte, 0.
std::string png_of(const std::string& head, const std::string& rows,
                   const std::string& before = "") {
  return kSignature + head + before + chunk("IDAT" + packed(rows)) + chunk("IEND");
}

void check_refused(const std::string& file, const std::string& sentence) {
  CHECK_THROWS_WITH_AS(decode_png(bytes_of(file), "a.png"), sentence.c_str(), DataError);
}

}  // namespace

TEST_CASE("a PNG comes back as it was written, grey and coloured") {
  for (const ImageShape shape : {ImageShape{3, 5, 7}, {1, 5, 7}, {3, 1, 1}, {1, 40, 3}}) {
    const Image image = some_image(shape);
    const Image back = decode_png(bytes_of(encode_png(image)), "x");
    CHECK(back.shape == shape);
    CHECK(back.pixels == image.pixels);
  }
  CHECK_THROWS_WITH_AS(encode_png(some_image({2, 3, 3})),
                       "a PNG holds 1 or 3 channels, got an image of 2", std::invalid_argument);
}

TEST_CASE("PNGs of other kinds become 8 bits of grey or colour") {
  const auto check = [](const std::string& file, ImageShape shape,
                        std::vector<std::uint8_t> pixels) {
    const Image image = decode_png(bytes_of(file), "x");
    CHECK(image.shape == shape);
    CHECK(image.pixels == pixels);
  };
  using namespace std::string_literals;
  // One bit of grey; two pixels of 16-bit grey; grey with alpha; colour with alpha; 16-bit colour; a palette with transparency.
  check(png_of(header(3, 1, 1, 0), "\0\xa0"s), {1, 1, 3}, {255, 0, 255});
  check(png_of(header(2, 1, 16, 0), "\0\x12\xff\xab\x00"s), {1, 1, 2}, {0x12, 0xab});
  check(png_of(header(1, 1, 8, 4), "\0\x64\x05"s), {1, 1, 1}, {0x64});
  check(png_of(header(1, 1, 8, 6), "\0\x01\x02\x03\x00"s), {3, 1, 1}, {1, 2, 3});
  check(png_of(header(1, 1, 16, 2), "\0\x01\xff\x02\xff\x03\xff"s), {3, 1, 1}, {1, 2, 3});
  check(png_of(header(2, 1, 8, 3), "\0\x01\x00"s,
               chunk("PLTE\x0a\x0b\x0c\x14\x15\x16") + chunk("tRNS"s + '\0')),
        {3, 1, 2}, {20, 10, 21, 11, 22, 12});
}

TEST_CASE("gamma does not change a pixel") {
  const std::string linear = chunk("gAMA" + big_endian(100000));
  const Image image =
      decode_png(bytes_of(png_of(header(1, 1, 8, 0), std::string("\0\x64", 2), linear)), "x");
  CHECK(image.pixels == std::vector<std::uint8_t>{0x64});
}

TEST_CASE("a PNG that is damaged or too large is refused before its pixels are made") {
  check_refused("", "a.png: is not a PNG file");
  check_refused("GIF89a, or so it seems", "a.png: is not a PNG file");
  const std::string whole = encode_png(some_image({3, 9, 9}));
  check_refused(whole.substr(0, whole.size() - 6), "a.png: damaged PNG: the file ends early");
  check_refused(whole.substr(0, 60), "a.png: damaged PNG: the file ends early");
  std::string flipped = whole;
  flipped[20] ^= 1;  // the width; the checksum no longer fits
  check_refused(flipped, "a.png: damaged PNG: IHDR: CRC error");

  // The files are tiny; the images they claim are not.
  check_refused(png_of(header(20000, 4, 8, 2), "\0"),
                "a.png: 20000×4 pixels, at most 16384 a side and 67108864 in all are read");
  check_refused(png_of(header(16000, 16000, 8, 2), "\0"),
                "a.png: 16000×16000 pixels, at most 16384 a side and 67108864 in all are read");
  check_refused(png_of(header(8, 8, 8, 2), std::string(3, '\0')),
                "a.png: damaged PNG: Not enough image data");
  check_refused(png_of(header(8000, 8000, 8, 2), "\0"),
                fmt::format("a.png: damaged PNG: {} bytes are too few for 8000×8000 pixels", png_of(header(8000, 8000, 8, 2), "\0").size()));
  check_refused(whole + "x", "a.png: 1 trailing bytes after the PNG");
  CHECK_THROWS_AS(decode_png(bytes_of(kSignature + header(0, 5, 8, 2)), "a.png"), DataError);
}

TEST_CASE("a file with a byte changed or cut off anywhere is read or refused, no more") {
  const std::string whole = encode_png(some_image({3, 6, 5}));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      try {
        (void)decode_png(bytes_of(damaged), "x");
      } catch (const DataError&) {
      }
    }
    CHECK_THROWS_AS(decode_png(bytes_of(whole.substr(0, i)), "x"), DataError);
  }
}

TEST_CASE("a PNG is read from a file, and a missing one named") {
  const ScratchFolder folder;
  const Image image = some_image({1, 4, 4});
  CHECK(read_png(folder.write("a.png", encode_png(image))).pixels == image.pixels);
  const std::string missing = folder / "b.png";
  CHECK_THROWS_WITH_AS(read_png(missing), (missing + ": no such file").c_str(), DataError);
}
