#include "train/image_batch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "data/error.hpp"
#include "train/errors.hpp"

namespace autodidact::train {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& sentence) {
  throw data::DataError(fmt::format("{}: {}", path.string(), sentence));
}

std::vector<std::int32_t> checked_labels(const SafetensorsFile& file, std::int64_t images, std::int64_t classes) {
  const TensorRecord& labels = file.require("labels", FileType::i64);
  if (labels.shape != FileShape{images})
    refuse(file.path, fmt::format("labels must have the shape [{}], one for each image, got [{}]", images,
                                  fmt::join(labels.shape, ", ")));
  std::vector<std::int32_t> numbers;
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    if (label < 0 || label >= classes)
      refuse(file.path, fmt::format("labels[{}] is {}, the network knows the classes 0 to {}", numbers.size(), label, classes - 1));
    numbers.push_back(static_cast<std::int32_t>(label));
  }
  return numbers;
}

ImageBatch checked_batch(const SafetensorsFile& file, std::int64_t classes) {
  const TensorRecord& images = file.require("images", FileType::f32);
  if (images.shape.size() != 4)
    refuse(file.path, fmt::format("images must have the four extents N, C, H, W, got {}", images.shape.size()));
  if (std::find(images.shape.begin(), images.shape.end(), 0) != images.shape.end())
    refuse(file.path, fmt::format("images has the shape [{}], which holds nothing", fmt::join(images.shape, ", ")));
  ImageBatch batch;
  batch.shape = engine::Shape(std::span<const std::int64_t>(images.shape));
  const auto pixels = images.values<float>();
  const auto bad = std::find_if(pixels.begin(), pixels.end(), [](float pixel) { return !std::isfinite(pixel); });
  if (bad != pixels.end()) refuse(file.path, fmt::format("images holds {} at index {}", *bad, bad - pixels.begin()));
  batch.images.assign(pixels.begin(), pixels.end());
  if (file.find("labels")) batch.labels = checked_labels(file, batch.shape[0], classes);
  return batch;
}
}  // namespace

ImageBatch read_image_batch(const std::filesystem::path& path, std::int64_t classes) {
  try {
    return checked_batch(read_safetensors(path), classes);
  } catch (const FileFormatError& error) {  // a batch is data, whatever the format of its file
    throw data::DataError(error.what());
  }
}

BatchLogits logits_of(Trainer& trainer, const ImageBatch& batch, std::int64_t at_a_time) {
  BatchLogits result;
  Tally tally;
  const std::int64_t images = batch.shape[0], pixels = batch.shape.count() / images;
  const auto part = [](const auto& numbers, std::int64_t first, std::int64_t count) {
    return std::span(numbers).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  };
  for (std::int64_t first = 0; first < images; first += at_a_time) {
    const std::int64_t count = std::min(at_a_time, images - first);
    data::Batch some{.images = part(batch.images, first * pixels, count * pixels), .labels = {},
                     .count = static_cast<std::size_t>(count)};
    if (!batch.labels.empty()) some.labels = part(batch.labels, first, count);
    const engine::Program& program = trainer.infer(some, first == 0);
    for (std::size_t k = 0; k < kExits; ++k) {
      const std::string name = fmt::format("logits/{}", k + 1);
      if (!program.outputs().contains(name)) continue;
      const auto logits = program.view(name);
      result.exits[k].insert(result.exits[k].end(), logits.begin(), logits.end());
    }
    if (!batch.labels.empty()) tally.add(program, some.labels);
  }
  result.accuracies = tally.accuracies();
  return result;
}

void write_logits(const std::filesystem::path& path, const Metadata& metadata, const BatchLogits& logits, std::int64_t images) {
  std::vector<TensorView> tensors;
  for (std::size_t k = 0; k < kExits; ++k) {
    const std::vector<float>& exit = logits.exits[k];
    if (exit.empty()) continue;
    tensors.push_back(view_of<float>(fmt::format("logits/{}", k + 1), {images, static_cast<std::int64_t>(exit.size()) / images}, exit));
  }
  write_safetensors(path, metadata, tensors);
}
}  // namespace autodidact::train
