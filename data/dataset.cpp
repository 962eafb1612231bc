#include "data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace autodidact::data {

MemoryDataset::MemoryDataset(Content content) : content_(std::move(content)) {
  const auto& c = content_;
  if (c.shape.channels < 1 || c.shape.height < 1 || c.shape.width < 1) {
    throw std::invalid_argument(fmt::format(
        "a dataset's images must have at least one channel, row and column, got {}x{}x{}",
        c.shape.channels, c.shape.height, c.shape.width));
  }
  if (c.pixels.size() != c.labels.size() * c.shape.bytes()) {
    throw std::invalid_argument(fmt::format(
        "a dataset of {} labels and {} bytes an image needs {} bytes of pixels, got {}",
        c.labels.size(), c.shape.bytes(), c.labels.size() * c.shape.bytes(), c.pixels.size()));
  }
  for (std::size_t i = 0; i < c.labels.size(); ++i) {
    if (c.labels[i] < 0 || static_cast<std::size_t>(c.labels[i]) >= c.class_names.size()) {
      throw std::invalid_argument(fmt::format("label {} of sample {} must be in 0 ... {}",
                                              c.labels[i], i,
                                              static_cast<long>(c.class_names.size()) - 1));
    }
  }
}

void Dataset::copy_random_crop(std::size_t i, engine::Random&,
                               std::span<std::uint8_t> pixels) const {
  copy_image(i, pixels);
}

void MemoryDataset::copy_image(std::size_t i, std::span<std::uint8_t> pixels) const {
  const std::size_t bytes = content_.shape.bytes();
  std::copy_n(content_.pixels.data() + i * bytes, bytes, pixels.data());
}

std::string MemoryDataset::origin(std::size_t i) const {
  const auto next = std::find_if(content_.parts.begin(), content_.parts.end(),
                                 [&](const Part& part) { return part.first_sample > i; });
  if (next == content_.parts.begin()) return fmt::format("sample {}", i);
  const Part& part = *std::prev(next);
  return fmt::format("{} record {}", part.file, i - part.first_sample);
}

SubsetDataset::SubsetDataset(DatasetPointer whole, std::vector<std::uint32_t> indices)
    : whole_(std::move(whole)), indices_(std::move(indices)) {
  for (std::uint32_t index : indices_) {
    if (index >= whole_->size()) {
      throw std::invalid_argument(fmt::format(
          "index {} of a subset must be below the {} samples of the whole", index, whole_->size()));
    }
  }
}

std::vector<std::size_t> SubsetDataset::shards() const {
  std::vector<std::size_t> sizes = whole_->shards();
  if (!std::is_sorted(indices_.begin(), indices_.end())) return {};
  auto from = indices_.begin();
  std::size_t end = 0;
  for (std::size_t& size : sizes) {
    end += size;
    const auto to = std::lower_bound(from, indices_.end(), end);
    size = static_cast<std::size_t>(to - from);
    from = to;
  }
  return sizes;
}

void SubsetDataset::read_ahead(std::span<const std::uint32_t> samples) const {
  std::vector<std::uint32_t> of_whole;
  for (const std::uint32_t sample : samples) of_whole.push_back(indices_[sample]);
  whole_->read_ahead(of_whole);
}

PaddedDataset::PaddedDataset(DatasetPointer inner, int border, std::uint8_t value)
    : inner_(std::move(inner)), border_(border), value_(value), shape_(inner_->shape()) {
  if (border < 0) {
    throw std::invalid_argument(fmt::format("a border must be at least 0 pixels, got {}", border));
  }
  shape_.height += 2 * border;
  shape_.width += 2 * border;
}

void PaddedDataset::copy_image(std::size_t i, std::span<std::uint8_t> pixels) const {
  const ImageShape small = inner_->shape();
  // The small image goes to the end of the buffer first and is then moved row by row towards the front: each row's place lies
  // before all rows that still wait, so no second buffer is needed (and none is shared between threads).
  std::uint8_t* source = pixels.data() + (pixels.size() - small.bytes());
  inner_->copy_image(i, {source, small.bytes()});
  std::uint8_t* target = pixels.data();
  const auto border = static_cast<std::size_t>(border_),
             width = static_cast<std::size_t>(small.width);
  const auto fill = [&](std::size_t count) { target = std::fill_n(target, count, value_); };
  for (int c = 0; c < small.channels; ++c) {
    fill(border * (width + 2 * border));
    for (int y = 0; y < small.height; ++y) {
      fill(border);
      std::memmove(target, source, width);  // the two may overlap
      target += width;
      source += width;
      fill(border);
    }
    fill(border * (width + 2 * border));
  }
}

std::vector<std::string> numbered_classes(int classes) {
  std::vector<std::string> names;
  for (int q = 0; q < classes; ++q) names.push_back(std::to_string(q));
  return names;
}

}  // namespace autodidact::data
