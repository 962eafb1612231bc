#include "data/jpeg.hpp"

#include <fmt/format.h>
// clang-format off: this order
#include <jerror.h>
#include <jpeglib.h>

#include <cstdio>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <utility>
#include <vector>

#include "data/error.hpp"
#include "data/image_file.hpp"

namespace autodidact::data {

namespace {

constexpr int kMaxScans = 100;  // a progressive file of ours has 10
constexpr long kLibraryBytes = 1L << 30;

// What libjpeg's callbacks share with us.
struct Session {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf jump;
  char fault[JMSG_LENGTH_MAX];
};
Session& session_of(j_common_ptr jpeg) { return *static_cast<Session*>(jpeg->client_data); }

// libjpeg goes on after a fault of ours only by a jump, over whatever lies between; so between setjmp and it there is nothing that has
// a destructor.
[[noreturn]] void keep_fault(j_common_ptr jpeg) {
  Session& session = session_of(jpeg);
  jpeg->err->format_message(jpeg, session.fault);
  std::longjmp(session.jump, 1);
}

// Warnings about pixels are damage; those about what lies between, or about notes of other programs, are not.
void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_PROGRESSION:
      return;
    default:
      keep_fault(jpeg);
  }
}

void count_scans(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= kMaxScans) return;
  std::snprintf(session_of(jpeg).fault, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
  std::longjmp(session_of(jpeg).jump, 1);
}

// False: session.fault says why.
bool read_header(Session& session, ConstBytes file) {
  if (setjmp(session.jump)) return false;
  jpeg_create_decompress(&session.jpeg);
  session.jpeg.progress = &session.progress;
  session.jpeg.mem->max_memory_to_use = kLibraryBytes;
  jpeg_mem_src(&session.jpeg, file.data(), file.size());
  jpeg_read_header(&session.jpeg, TRUE);
  return true;
}

bool start_pixels(Session& session) {
  if (setjmp(session.jump)) return false;
  jpeg_decompress_struct& jpeg = session.jpeg;
  jpeg.out_color_space = jpeg.num_components == 1   ? JCS_GRAYSCALE
                         : jpeg.num_components == 4 ? JCS_CMYK
                                                    : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  return true;
}

bool read_pixels(Session& session, std::uint8_t* target, std::size_t row_bytes) {
  if (setjmp(session.jump)) return false;
  while (session.jpeg.output_scanline < session.jpeg.output_height) {
    JSAMPROW row = target + session.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&session.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&session.jpeg);
  return true;
}

// Adobe's inverted C, M, Y, K as red, green and blue, rounded as Pillow does.
std::vector<std::uint8_t> rgb_of_cmyk(const std::vector<std::uint8_t>& cmyk) {
  std::vector<std::uint8_t> rgb(cmyk.size() / 4 * 3);
  for (std::size_t i = 0; i < cmyk.size() / 4; ++i) {
    const int light = cmyk[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[4 * i + c]) * light + 128;
      rgb[3 * i + c] =
          static_cast<std::uint8_t>(std::clamp(light - (((product >> 8) + product) >> 8), 0, 255));
    }
  }
  return rgb;
}

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {
    session_.jpeg.err = jpeg_std_error(&session_.errors);
    session_.errors.error_exit = keep_fault;
    session_.errors.emit_message = on_message;
    session_.progress.progress_monitor = count_scans;
    session_.jpeg.client_data = &session_;
  }
  ~Reader() { jpeg_destroy_decompress(&session_.jpeg); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Image read(ConstBytes file) {
    check(read_header(session_, file));
    check_image_size(name_, session_.jpeg.image_width, session_.jpeg.image_height);
    check(start_pixels(session_));
    ImageShape shape{session_.jpeg.output_components, static_cast<int>(session_.jpeg.output_height),
                     static_cast<int>(session_.jpeg.output_width)};
    if (shape.channels != 1 && shape.channels != 3 && shape.channels != 4) {
      throw DataError(fmt::format("{}: a JPEG of a kind that cannot be read", name_));
    }
    std::vector<std::uint8_t> interleaved(shape.bytes());
    check(read_pixels(session_, interleaved.data(),
                      shape.bytes() / static_cast<std::size_t>(shape.height)));
    if (shape.channels == 4) {
      interleaved = rgb_of_cmyk(interleaved);
      shape.channels = 3;
    }
    return {shape, planes_of(std::move(interleaved), shape)};
  }

 private:
  void check(bool went_well) const {
    if (!went_well) throw DataError(fmt::format("{}: damaged JPEG: {}", name_, session_.fault));
  }

  const std::string& name_;
  Session session_{};
};

}  // namespace

bool is_jpeg(ConstBytes file) {
  return file.size() >= 3 && file[0] == 0xff && file[1] == 0xd8 && file[2] == 0xff;
}

Image decode_jpeg(ConstBytes file, const std::string& name) {
  if (!is_jpeg(file)) throw DataError(fmt::format("{}: is not a JPEG file", name));
  return Reader(name).read(file);
}

}  // namespace autodidact::data
