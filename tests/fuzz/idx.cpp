// IDX files: the bytes as the images beside good labels, then as the labels beside good images, each in both halves' places.
#include "data/idx.hpp"

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {
using namespace autodidact;
using namespace std::string_view_literals;

constexpr std::string_view kImages = "\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02" "abcdefgh"sv;  // two of 2×2
constexpr std::string_view kLabels = "\0\0\x08\x01\0\0\0\x02\0\x01"sv;

void use(const data::Dataset& images) {
  std::vector<std::uint8_t> pixels(images.shape().bytes());
  for (std::size_t i = 0; i < images.size(); ++i) {
    images.copy_image(i, pixels);
    if (images.label(i) < 0 || images.label(i) >= images.classes()) fuzz::fail("a label is of no class", images.origin(i));
  }
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const fuzz::Bytes bytes(data, size);
  const auto read = [&](fuzz::Bytes images, fuzz::Bytes labels) {
    folder.write("train-images-idx3-ubyte", images);
    folder.write("train-labels-idx1-ubyte", labels);
    fuzz::parses_or_refuses<data::DataError>([] { use(*data::read_idx(data::Half::train, folder.path())); });
  };
  read(bytes, fuzz::bytes_of(kLabels));
  read(fuzz::bytes_of(kImages), bytes);
  return 0;
}
