#include "data/dataset.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <stdexcept>

using namespace autodidact::data;

namespace {

// Two samples of 2×2×3, bytes counted from 1.
std::shared_ptr<MemoryDataset> small() {
  MemoryDataset::Content content{
      {2, 2, 3}, std::vector<std::uint8_t>(24), {0, 1}, {"a", "b"}, {{"file", 0}}};
  std::iota(content.pixels.begin(), content.pixels.end(), std::uint8_t{1});
  return std::make_shared<MemoryDataset>(std::move(content));
}

std::vector<std::uint8_t> image_of(const Dataset& data, std::size_t i) {
  std::vector<std::uint8_t> image(data.shape().bytes());
  data.copy_image(i, image);
  return image;
}

}  // namespace

TEST_CASE("a memory dataset refuses content that does not fit together") {
  const MemoryDataset::Content good{{1, 1, 2}, {1, 2, 3, 4}, {0, 1}, {"a", "b"}, {}};
  CHECK(MemoryDataset(good).origin(1) == "sample 1");
  auto bad = good;
  bad.pixels.pop_back();
  CHECK_THROWS_WITH_AS(MemoryDataset{bad},
                       "a dataset of 2 labels and 2 bytes an image needs 4 bytes of pixels, got 3",
                       std::invalid_argument);
  bad = good;
  bad.labels[1] = 2;
  CHECK_THROWS_WITH_AS(MemoryDataset{bad}, "label 2 of sample 1 must be in 0 ... 1",
                       std::invalid_argument);
  bad.labels[1] = -1;
  CHECK_THROWS_WITH_AS(MemoryDataset{bad}, "label -1 of sample 1 must be in 0 ... 1",
                       std::invalid_argument);
  bad = good;
  bad.shape.height = 0;
  CHECK_THROWS_AS(MemoryDataset{bad}, std::invalid_argument);
}

TEST_CASE("a subset shows the chosen samples in the chosen order") {
  const SubsetDataset subset(small(), {1, 0, 1});
  CHECK(subset.size() == 3);
  CHECK(subset.label(0) == 1);
  CHECK(subset.label(1) == 0);
  CHECK(subset.origin(2) == "file record 1");
  CHECK(image_of(subset, 2) == image_of(*small(), 1));
  CHECK(subset.classes() == 2);
  CHECK_THROWS_WITH_AS(SubsetDataset(small(), {0, 2}),
                       "index 2 of a subset must be below the 2 samples of the whole",
                       std::invalid_argument);
}

TEST_CASE("a border surrounds every channel of an image") {
  const PaddedDataset padded(small(), 1, 99);
  CHECK(padded.shape() == ImageShape{2, 4, 5});
  CHECK(image_of(padded, 1) == std::vector<std::uint8_t>{
                                   99, 99, 99, 99, 99,  //
                                   99, 13, 14, 15, 99,  //
                                   99, 16, 17, 18, 99,  //
                                   99, 99, 99, 99, 99,  //
                                   99, 99, 99, 99, 99,  //
                                   99, 19, 20, 21, 99,  //
                                   99, 22, 23, 24, 99,  //
                                   99, 99, 99, 99, 99,  //
                               });
  CHECK(image_of(PaddedDataset(small(), 0, 99), 0) == image_of(*small(), 0));
  CHECK_THROWS_AS(PaddedDataset(small(), -1, 0), std::invalid_argument);
}
