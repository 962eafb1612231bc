// data/dataset.hpp: labelled pictures, one number a sample.
//
// A Dataset is read-only and safe to read from several threads. Pixels are bytes 0 … 255, plain CHW: channel, row, column.
// A reader (cifar.hpp, idx.hpp, synthetic.hpp) makes a MemoryDataset; decorators change the view, not the data.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/image.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

// The two halves that every dataset is published in.
enum class Half { train, test };

class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual std::size_t size() const = 0;
  virtual ImageShape shape() const = 0;  // the same for all samples
  // One name a class, in the order of the labels 0 … Q−1.
  virtual const std::vector<std::string>& class_names() const = 0;
  int classes() const { return static_cast<int>(class_names().size()); }

  // i < size() in all three, and pixels.size() == shape().bytes(): the caller's duty.
  virtual void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const = 0;
  virtual std::int32_t label(std::size_t i) const = 0;
  // Where sample i comes from, in words: "train.bin.xz record 17".
  virtual std::string origin(std::size_t i) const = 0;

  // As copy_image, but a random part of the picture (random_crop.hpp) where it is stored in a size of its own; else nothing is drawn.
  virtual void copy_random_crop(std::size_t i, engine::Random& random,
                                std::span<std::uint8_t> pixels) const;
  // The samples of each file, in the order of their numbers, where a file is best read from front to end (shard_order.hpp); empty
  // where any order is as good.
  virtual std::vector<std::size_t> shards() const { return {}; }
  // These samples, which lie in this order, will be read soon: of those in files the system is asked to fetch their bytes meanwhile.
  // A wish: what goes wrong shows when they are read.
  virtual void read_ahead(std::span<const std::uint32_t> /*samples*/) const {}
};

using DatasetPointer = std::shared_ptr<const Dataset>;

// Everything in memory.
class MemoryDataset final : public Dataset {
 public:
  struct Part {
    std::string file;          // the name shown by origin()
    std::size_t first_sample;  // samples from here to the next part come from it
  };
  struct Content {
    ImageShape shape;
    std::vector<std::uint8_t> pixels;  // N·C·H·W
    std::vector<std::int32_t> labels;  // N, each in 0 … Q−1
    std::vector<std::string> class_names;
    std::vector<Part> parts;  // ascending, the first at sample 0
  };
  // std::invalid_argument where the sizes do not fit together or a label is not below Q.
  explicit MemoryDataset(Content content);

  std::size_t size() const override { return content_.labels.size(); }
  ImageShape shape() const override { return content_.shape; }
  const std::vector<std::string>& class_names() const override { return content_.class_names; }
  void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const override;
  std::int32_t label(std::size_t i) const override { return content_.labels[i]; }
  std::string origin(std::size_t i) const override;

 private:
  Content content_;
};

// Some samples of another dataset, in the given order. std::invalid_argument where an index is not below its size.
class SubsetDataset final : public Dataset {
 public:
  SubsetDataset(DatasetPointer whole, std::vector<std::uint32_t> indices);

  std::size_t size() const override { return indices_.size(); }
  ImageShape shape() const override { return whole_->shape(); }
  const std::vector<std::string>& class_names() const override { return whole_->class_names(); }
  void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const override {
    whole_->copy_image(indices_[i], pixels);
  }
  void copy_random_crop(std::size_t i, engine::Random& random,
                        std::span<std::uint8_t> pixels) const override {
    whole_->copy_random_crop(indices_[i], random, pixels);
  }
  std::int32_t label(std::size_t i) const override { return whole_->label(indices_[i]); }
  std::string origin(std::size_t i) const override { return whole_->origin(indices_[i]); }
  std::vector<std::size_t> shards() const override;  // empty unless the indices ascend
  void read_ahead(std::span<const std::uint32_t> samples) const override;

 private:
  DatasetPointer whole_;
  std::vector<std::uint32_t> indices_;
};

// A border of `border` pixels of one value around every image. border ≥ 0, else std::invalid_argument.
class PaddedDataset final : public Dataset {
 public:
  PaddedDataset(DatasetPointer inner, int border, std::uint8_t value);

  std::size_t size() const override { return inner_->size(); }
  ImageShape shape() const override { return shape_; }
  const std::vector<std::string>& class_names() const override { return inner_->class_names(); }
  void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const override;
  std::int32_t label(std::size_t i) const override { return inner_->label(i); }
  std::string origin(std::size_t i) const override { return inner_->origin(i); }
  std::vector<std::size_t> shards() const override { return inner_->shards(); }
  void read_ahead(std::span<const std::uint32_t> samples) const override {
    inner_->read_ahead(samples);
  }

 private:
  DatasetPointer inner_;
  int border_;
  std::uint8_t value_;
  ImageShape shape_;
};

// Names for classes nobody named: "0", "1", … Q−1.
std::vector<std::string> numbered_classes(int classes);

}  // namespace autodidact::data
