// train/random_batch.hpp: a batch of random images in memory, to time steps with. Normal pixels, the same for the same seed.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "data/loader.hpp"
#include "engine/random.hpp"
#include "model/network.hpp"

namespace autodidact::train {

class RandomBatch {
 public:
  RandomBatch(const model::NetworkOptions& network, std::int64_t count, std::uint64_t seed = 1) {
    engine::Random random(seed, engine::Purpose::probe);
    images_.resize(static_cast<std::size_t>(count * network.channels * network.image_height * network.image_width));
    labels_.resize(static_cast<std::size_t>(count));
    for (float& pixel : images_) pixel = static_cast<float>(random.normal());
    for (std::size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(network.classes));
  }
  data::Batch batch() const { return first(labels_.size()); }
  data::Batch first(std::size_t count) const {
    return {.images = std::span(images_).first(images_.size() / labels_.size() * count), .labels = std::span(labels_).first(count), .count = count};
  }
  std::vector<float>& images() { return images_; }

 private:
  std::vector<float> images_;
  std::vector<std::int32_t> labels_;
};
}  // namespace autodidact::train
