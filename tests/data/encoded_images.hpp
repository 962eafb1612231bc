// tests/data/encoded_images.hpp: small image files and shards, made up and damaged as a test wants them.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <zlib.h>
// clang-format off: this order
#include <jpeglib.h>

#include <cstdio>
// clang-format on

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "data/png.hpp"

namespace autodidact::data {

// A soft picture whose colours depend on `number`.
inline Image numbered_image(ImageShape shape, int number) {
  Image image{shape, {}};
  for (int c = 0; c < shape.channels; ++c)
    for (int y = 0; y < shape.height; ++y)
      for (int x = 0; x < shape.width; ++x)
        image.pixels.push_back(
            static_cast<std::uint8_t>((number * 37 + c * 50 + y * 5 + x * 3) % 256));
  return image;
}

inline std::string png_of(ImageShape shape, int number) {
  return encode_png(numbered_image(shape, number));
}

inline std::string jpeg_of(ImageShape shape, int number) {
  const Image image = numbered_image(shape, number);
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = static_cast<JDIMENSION>(shape.width);
  jpeg.image_height = static_cast<JDIMENSION>(shape.height);
  jpeg.input_components = shape.channels;
  jpeg.in_color_space = shape.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(shape.width * shape.channels));
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x)
      for (int c = 0; c < shape.channels; ++c)
        row[static_cast<std::size_t>(x * shape.channels + c)] =
            image.pixels[static_cast<std::size_t>((c * shape.height + y) * shape.width + x)];
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&jpeg, &rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string text(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return text;
}

// A PNG of some pixels that claims to have other sides; the checksum of its header is right.
inline std::string png_claiming(std::uint32_t width, std::uint32_t height) {
  std::string text = png_of({1, 4, 4}, 0);
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
      text[at + i] = static_cast<char>(value >> (24 - 8 * i) & 0xff);
  };
  put(16, width);
  put(20, height);
  put(29,
      static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(text.data() + 12), 17)));
  return text;
}

inline std::string tar_of(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string text(1 << 20, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_pax_restricted(writer);
  REQUIRE(archive_write_open_memory(writer, text.data(), text.size(), &used) == ARCHIVE_OK);
  for (const auto& [name, content] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  text.resize(used);
  return text;
}

// Samples of images of several sizes, keys 1000 + number, labels 0, 1, 2, 0 …
inline std::vector<std::pair<std::string, std::string>> shard_members(int first, int count) {
  std::vector<std::pair<std::string, std::string>> all;
  for (int i = first; i < first + count; ++i) {
    const std::string key = "s/" + std::to_string(1000 + i);
    all.emplace_back(key + ".cls", std::to_string(i % 3) + "\n");
    all.emplace_back(key + ".json", "{}");
    all.emplace_back(key + ".jpg", jpeg_of({3, 20 + i, 25}, i));
  }
  return all;
}

}  // namespace autodidact::data
