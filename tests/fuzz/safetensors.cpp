// Safetensors files, and a batch of images and labels in one. What is read must come back the same after it was written; and since a byte
// more or less makes the length in front wrong, the header is parsed by itself as well.
#include "train/safetensors.hpp"

#include <algorithm>

#include "data/error.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "train/errors.hpp"
#include "train/image_batch.hpp"
#include "train/safetensors_header.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::train;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kDataBytes[] = {0, 24};  // that follow the header: of the seeds
constexpr std::int64_t kClasses = 4;

void require_round_trip(const SafetensorsFile& file, const fuzz::Folder& folder) {
  std::vector<TensorView> views;
  for (const TensorRecord& tensor : file.tensors) {
    if (file.find(tensor.name) != &tensor) fuzz::fail("a tensor is not found by its name", tensor.name);
    views.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
  }
  const auto path = folder.path() / "again.safetensors";
  write_safetensors(path, file.metadata, views);
  const SafetensorsFile again = read_safetensors(path);
  const auto equal = [](const TensorRecord& a, const TensorRecord& b) {
    return a.name == b.name && a.type == b.type && a.shape == b.shape && a.bytes == b.bytes;
  };
  if (again.metadata != file.metadata || !std::equal(again.tensors.begin(), again.tensors.end(), file.tensors.begin(), file.tensors.end(), equal))
    fuzz::fail("what was read and written is not read back", "");
}

void require_whole(const ImageBatch& batch) {
  const bool labels = std::all_of(batch.labels.begin(), batch.labels.end(), [](std::int32_t label) { return label >= 0 && label < kClasses; });
  if (batch.images.size() != static_cast<std::size_t>(batch.shape.count()) || !labels ||
      (!batch.labels.empty() && batch.labels.size() != static_cast<std::size_t>(batch.shape[0])))
    fuzz::fail("a batch is not what its shape says", batch.shape.text());
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const fuzz::Bytes bytes(data, size);
  const auto path = folder.write("f.safetensors", bytes);
  fuzz::parses_or_refuses<FileFormatError>([&] { require_round_trip(read_safetensors(path), folder); });
  fuzz::parses_or_refuses<data::DataError>([&] { require_whole(read_image_batch(path, kClasses)); });
  const std::string header(fuzz::text_of(bytes.subspan(std::min(size, kLengthBytes))));
  for (const std::uint64_t data_bytes : kDataBytes)
    fuzz::parses_or_refuses<FileFormatError>([&] { (void)parse_header(header, data_bytes); });
  return 0;
}
