// data/stored_images.hpp: the images of an index, decoded when they are asked for.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/image_index.hpp"
#include "data/resize.hpp"

namespace autodidact::data {

// Only the index is in memory. Nothing is kept between two calls, so each thread that reads decodes for itself. An image that is no
// longer what the index says (replaced, gone) is a DataError of the call that reads it.
class StoredImages final : public Dataset {
 public:
  enum class Reading { anyhow, shard_by_shard };

  // Without `framing` the images are taken as they are: all of the same square size, else std::invalid_argument.
  // DataError where a label is not below the number of names.
  StoredImages(std::shared_ptr<const ImageIndex> index, std::vector<std::string> class_names,
               int channels, std::optional<Framing> framing, Reading reading);

  std::size_t size() const override { return places_.size(); }
  ImageShape shape() const override { return shape_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  void copy_image(std::size_t i, std::span<std::uint8_t> pixels) const override;
  void copy_random_crop(std::size_t i, engine::Random& random,
                        std::span<std::uint8_t> pixels) const override;
  std::int32_t label(std::size_t i) const override { return image(i).label; }
  std::string origin(std::size_t i) const override;
  std::vector<std::size_t> shards() const override;
  void read_ahead(std::span<const std::uint32_t> samples) const override;

 private:
  struct Place {
    std::uint32_t file, image;
  };
  const IndexedImage& image(std::size_t i) const {
    return index_->files[places_[i].file].images[places_[i].image];
  }
  Image decode(std::size_t i) const;

  std::shared_ptr<const ImageIndex> index_;
  std::vector<std::string> class_names_;
  std::vector<Place> places_;
  std::optional<Framing> framing_;
  Reading reading_;
  ImageShape shape_;
};

// The side of all images where they are square and of one size.
std::optional<int> common_side(const ImageIndex& index);

}  // namespace autodidact::data
