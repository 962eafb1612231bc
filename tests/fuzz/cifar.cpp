// The binary files of CIFAR-10 and CIFAR-100, and their file of class names. A record is mostly pixels, which cannot be wrong: the
// bytes are the labels and what may be missing or left over at the end, pixels are put between.
#include "data/cifar.hpp"

#include <string>

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {
using namespace autodidact;
constexpr std::size_t kPixels = 3 * 32 * 32;

// The first bytes are the labels of one record each; the last says how many bytes of the whole are cut off.
std::string records(fuzz::Bytes bytes, std::size_t labels) {
  std::string file;
  for (std::size_t i = 0; i + labels < bytes.size(); i += labels) file += std::string(fuzz::text_of(bytes.subspan(i, labels))) + std::string(kPixels, 'p');
  file.resize(file.size() - std::min<std::size_t>(file.size(), bytes.empty() ? 0 : bytes.back()));
  return file;
}

void use(const data::Dataset& images) {
  std::vector<std::uint8_t> pixels(images.shape().bytes());
  for (std::size_t i = 0; i < images.size(); ++i) {
    images.copy_image(i, pixels);
    if (pixels.front() != 'p' || pixels.back() != 'p') fuzz::fail("pixels moved", images.origin(i));
    if (images.label(i) < 0 || images.label(i) >= images.classes()) fuzz::fail("a label is of no class", images.origin(i));
  }
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::Folder named;
  const fuzz::Bytes bytes(data, size);
  constexpr std::size_t kRecords = 16;  // more show nothing new and take long
  const fuzz::Bytes few = bytes.first(std::min(size, 2 * kRecords + 1));
  for (const auto& [kind, labels] : {std::pair{data::Cifar::ten, std::size_t{1}}, {data::Cifar::hundred, std::size_t{2}}}) {
    const auto path = folder.write("records.bin", fuzz::bytes_of(records(few, labels)));
    fuzz::parses_or_refuses<data::DataError>([&, kind = kind] { use(*data::read_cifar(kind, data::Half::test, path)); });
  }
  named.write("batches.meta.txt", bytes);
  const auto path = named.write("records.bin", fuzz::bytes_of(std::string(1, '\0') + std::string(kPixels, 'p')));
  fuzz::parses_or_refuses<data::DataError>([&] { use(*data::read_cifar(data::Cifar::ten, data::Half::test, path)); });
  return 0;
}
