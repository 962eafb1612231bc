#include "data/png.hpp"

#include <fmt/format.h>
#include <png.h>

#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

#include "data/error.hpp"
#include "data/file.hpp"
#include "data/image_file.hpp"

namespace autodidact::data {

namespace {

constexpr png_alloc_size_t kMaxChunkBytes = 8'000'000;
constexpr int kMaxTextChunks = 128;
constexpr std::size_t kSignatureBytes = 8;

// What libpng's callbacks share with us.
struct Source {
  ConstBytes file;
  std::size_t at = 0;
  char fault[128] = "";
};

void read_bytes(png_structp png, png_bytep target, std::size_t count) {
  auto& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (source.file.size() - source.at < count) png_error(png, "the file ends early");
  std::memcpy(target, source.file.data() + source.at, count);
  source.at += count;
}

[[noreturn]] void keep_fault(png_structp png, png_const_charp text) {
  auto& source = *static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source.fault, text, sizeof source.fault - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

// libpng takes memory for a chunk of text as long as it says it is before it reads it: 2 GB, in a file of some bytes. What stands
// behind the last chunk is not looked at here.
void check_chunks(ConstBytes file, const std::string& name) {
  constexpr std::size_t kNumber = 4, kFrame = 12;  // a chunk's length; length, type and checksum
  constexpr char kLast[] = "IEND";
  bool is_last = false;
  for (std::size_t at = kSignatureBytes; !is_last;) {
    const std::size_t left = file.size() - at;
    std::size_t length = 0;
    for (std::size_t i = 0; left >= kFrame && i < kNumber; ++i) length = length << 8 | file[at + i];
    if (left < kFrame || length > left - kFrame) {
      throw DataError(fmt::format("{}: damaged PNG: the file ends early", name));
    }
    is_last = std::memcmp(file.data() + at + kNumber, kLast, kNumber) == 0;
    at += kFrame + length;
  }
}

// libpng jumps out of its faults, over whatever lies between; so between setjmp and it there is nothing that has a destructor.
// False: source.fault says why.
bool read_header(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_info(png, info);
  return true;
}

// From now on rows are 8-bit grey or red, green, blue.
bool start_pixels(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png))) return false;
  const int colour = png_get_color_type(png, info);
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_pixels(png_structp png, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

class Reader {
 public:
  Reader(ConstBytes file, const std::string& name) : name_(name) {
    source_.file = file;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, keep_fault, ignore_warning);
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, &source_, read_bytes);
    png_set_chunk_malloc_max(png_, kMaxChunkBytes);
    png_set_chunk_cache_max(png_, kMaxTextChunks);
    png_set_crc_action(png_, PNG_CRC_DEFAULT, PNG_CRC_ERROR_QUIT);
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Image read() {
    check(read_header(png_, info_));
    check_image_size(name_, png_get_image_width(png_, info_), png_get_image_height(png_, info_));
    check_promise();
    check(start_pixels(png_, info_));
    const int channels = png_get_channels(png_, info_);
    const ImageShape shape{channels, static_cast<int>(png_get_image_height(png_, info_)),
                           static_cast<int>(png_get_image_width(png_, info_))};
    const std::size_t row_bytes = shape.bytes() / static_cast<std::size_t>(shape.height);
    if ((channels != 1 && channels != 3) || png_get_rowbytes(png_, info_) != row_bytes) {
      throw DataError(fmt::format("{}: a PNG of a kind that cannot be read", name_));
    }
    std::vector<std::uint8_t> interleaved(shape.bytes());
    std::vector<png_bytep> rows;
    for (std::size_t y = 0; y < static_cast<std::size_t>(shape.height); ++y) {
      rows.push_back(interleaved.data() + y * row_bytes);
    }
    check(read_pixels(png_, rows.data()));
    if (source_.at != source_.file.size()) {
      throw DataError(
          fmt::format("{}: {} trailing bytes after the PNG", name_, source_.file.size() - source_.at));
    }
    return {shape, planes_of(std::move(interleaved), shape)};
  }

 private:
  void check(bool went_well) const {
    if (!went_well) throw DataError(fmt::format("{}: damaged PNG: {}", name_, source_.fault));
  }

  // A few bytes may not make us allocate a large picture.
  void check_promise() const {
    constexpr std::size_t kMostExpansion = 1032;  // of deflate
    const std::size_t packed = png_get_rowbytes(png_, info_) * png_get_image_height(png_, info_);
    if (packed / kMostExpansion <= source_.file.size()) return;
    throw DataError(fmt::format("{}: damaged PNG: {} bytes are too few for {}×{} pixels", name_,
                                source_.file.size(), png_get_image_width(png_, info_),
                                png_get_image_height(png_, info_)));
  }

  const std::string& name_;
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

bool is_png(ConstBytes file) {
  return file.size() >= kSignatureBytes && png_sig_cmp(file.data(), 0, kSignatureBytes) == 0;
}

Image decode_png(ConstBytes file, const std::string& name) {
  if (!is_png(file)) {
    throw DataError(fmt::format("{}: is not a PNG file", name));
  }
  check_chunks(file, name);
  return Reader(file, name).read();
}

Image read_png(const std::filesystem::path& path) {
  return decode_png(read_file(path, kMaxImageFileBytes), path.string());
}

std::string encode_png(const Image& image) {
  const ImageShape shape = image.shape;
  if (shape.channels != 1 && shape.channels != 3) {
    throw std::invalid_argument(
        fmt::format("a PNG holds 1 or 3 channels, got an image of {}", shape.channels));
  }
  const auto channels = static_cast<std::size_t>(shape.channels);
  std::vector<std::uint8_t> interleaved(shape.bytes());
  for (std::size_t i = 0; i < interleaved.size(); ++i) {
    interleaved[i] = image.pixels[i % channels * shape.plane() + i / channels];
  }
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(shape.width);
  header.height = static_cast<png_uint_32>(shape.height);
  header.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(header), '\0');
  png_alloc_size_t size = bytes.size();
  if (!png_image_write_to_memory(&header, bytes.data(), &size, 0, interleaved.data(), 0, nullptr)) {
    throw std::runtime_error(fmt::format("the PNG could not be made: {}", header.message));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace autodidact::data
