#include "data/contact_sheet.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

using namespace autodidact::data;

namespace {

MemoryDataset two_images(ImageShape shape) {
  MemoryDataset::Content content{
      shape, std::vector<std::uint8_t>(2 * shape.bytes()), {0, 0}, {"a"}, {{"made", 0}}};
  for (std::size_t i = 0; i < content.pixels.size(); ++i) {
    content.pixels[i] = static_cast<std::uint8_t>(i % 200);
  }
  return MemoryDataset(std::move(content));
}

}  // namespace

TEST_CASE("a contact sheet shows the original and what each epoch makes of it") {
  // Of 72 pixels a side, so that one pixel is one pixel on the sheet.
  const ImageShape shape{3, 72, 72};
  const MemoryDataset dataset = two_images(shape);
  const std::uint32_t samples[] = {1, 0};
  Augmentation augmentation({.kind = Augment::crop_flip}, shape, {{0, 0, 0}, {1, 1, 1}});
  const Image sheet = make_contact_sheet(dataset, samples, augmentation, {.seed = 3, .epochs = 2});
  // 4 + 72 + 20 + 72 + 4 + 72 + 4 columns, 4 + 72 + 4 + 72 + 4 rows
  REQUIRE(sheet.shape == ImageShape{3, 156, 248});
  const auto part = [&](int top, int left) {
    std::vector<std::uint8_t> pixels;
    for (int c = 0; c < 3; ++c) {
      for (int y = top; y < top + 72; ++y) {
        const auto* row = sheet.pixels.data() + (c * 156 + y) * 248 + left;
        pixels.insert(pixels.end(), row, row + 72);
      }
    }
    return pixels;
  };
  for (const std::uint32_t sample : samples) {
    const int top = sample == 1 ? 4 : 80;
    std::vector<std::uint8_t> original(shape.bytes());
    dataset.copy_image(sample, original);
    CHECK((part(top, 4) == original));
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
      std::copy(original.begin(), original.end(), augmentation.input().begin());
      const ConstBytes expected =
          augmentation.augment({3, autodidact::engine::Purpose::augmentation, epoch, sample});
      CHECK(std::ranges::equal(part(top, epoch == 0 ? 96 : 172), expected));
    }
  }
  CHECK(sheet.pixels[0] == 255);
  CHECK(sheet.pixels[4 * 248 + 80] == 255);
}

TEST_CASE("a contact sheet shows two channels in grey, four in colour, small pixels large") {
  const std::uint32_t samples[] = {0};
  for (const int channels : {1, 2, 4}) {
    const ImageShape shape{channels, 36, 36};
    const std::vector<float> zeros(static_cast<std::size_t>(channels), 0.f);
    const std::vector<float> ones(static_cast<std::size_t>(channels), 1.f);
    const Image sheet = make_contact_sheet(two_images(shape), samples,
                                           Augmentation({}, shape, {zeros, ones}), {.epochs = 1});
    CHECK(sheet.shape == ImageShape{channels == 4 ? 3 : 1, 80, 4 + 72 + 20 + 72 + 4});
    const auto* second = sheet.pixels.data() + 6 * sheet.shape.width + 4;
    CHECK(second[0] == 36);  // row 1, twice as large
    CHECK(second[1] == 36);
    CHECK(second[2] == 37);
  }
}

TEST_CASE("a contact sheet that would be too large, or empty, is refused") {
  const ImageShape shape{1, 4096, 4096};
  const MemoryDataset dataset = two_images(shape);
  const Augmentation augmentation({}, shape, {{0}, {1}});
  const std::uint32_t samples[] = {0};
  CHECK_THROWS_WITH_AS(make_contact_sheet(dataset, samples, augmentation, {}),
                       "a sheet of 1 samples of 4096×4096 pixels would have 4104×32820, at most "
                       "16384 a side",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_contact_sheet(dataset, {}, augmentation, {}),
                       "a contact sheet needs at least one sample", std::invalid_argument);
}
