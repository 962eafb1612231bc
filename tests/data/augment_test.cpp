#include "data/augment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <stdexcept>

using namespace autodidact::data;
using autodidact::engine::Purpose;
using autodidact::engine::Random;

namespace {

constexpr ImageShape kShape{3, 8, 6};
const Normalisation kPlain{{0, 0, 0}, {1, 1, 1}};

std::vector<std::uint8_t> counting(ImageShape shape) {
  std::vector<std::uint8_t> image(shape.bytes());
  std::iota(image.begin(), image.end(), std::uint8_t{1});
  return image;
}

std::uint8_t at(const std::vector<std::uint8_t>& image, ImageShape s, int c, int y, int x) {
  return image[static_cast<std::size_t>((c * s.height + y) * s.width + x)];
}

std::vector<float> augmented(Augmentation augmentation, const std::vector<std::uint8_t>& image,
                             std::uint64_t sample) {
  std::copy(image.begin(), image.end(), augmentation.input().begin());
  std::vector<float> out(image.size());
  augmentation.apply({1, Purpose::augmentation, 0, sample}, out);
  return out;
}

}  // namespace

TEST_CASE("augmentations are known by name") {
  for (const char* name : {"none", "crop-flip", "crop-flip-cutout", "seed", "seed:imagenet",
                           "seed:svhn", "randaugment", "randaugment:1,2", "randaugment:3,4.5"}) {
    CHECK(augment_name(parse_augment(name)) == name);
  }
  CHECK(parse_augment("seed").policy == Policy::cifar10);
  CHECK(augment_name(parse_augment("seed:cifar10")) == "seed");
  CHECK(augment_name(parse_augment("randaugment:2,9")) == "randaugment");
  for (const char* name : {"flip", "none:1", ""}) {
    CHECK_THROWS_WITH_AS(parse_augment(name),
                         ("unknown augmentation \"" + std::string(name) +
                          "\", expected one of none, crop-flip, crop-flip-cutout, "
                          "seed[:cifar10|imagenet|svhn], randaugment[:N,M]")
                             .c_str(),
                         std::invalid_argument);
  }
  CHECK_THROWS_WITH_AS(
      parse_augment("seed:cifar100"),
      "unknown AutoAugment policy \"cifar100\", expected one of cifar10, imagenet, svhn",
      std::invalid_argument);
  for (const char* text : {"", "2", "2,", "-1,9", "17,9", "2,31", "2,9,1", "2,nan"}) {
    CHECK_THROWS_WITH_AS(parse_augment("randaugment:" + std::string(text)),
                         ("randaugment:N,M takes N from 0 to 16 and M from 0 to 30, got \"" +
                          std::string(text) + "\"")
                             .c_str(),
                         std::invalid_argument);
  }
}

TEST_CASE("the middle crop is the image, every other one a shift with the fill value") {
  const auto image = counting(kShape);
  std::vector<std::uint8_t> out(image.size());
  crop(image, out, kShape, 4, 4, 4, 128);
  CHECK(out == image);
  for (int top : {0, 1, 5, 8}) {
    for (int left : {0, 3, 7, 8}) {
      crop(image, out, kShape, top, left, 4, 200);
      int wrong = 0;
      for (int c = 0; c < 3; ++c) {
        for (int y = 0; y < 8; ++y) {
          for (int x = 0; x < 6; ++x) {
            const int v = y + top - 4, u = x + left - 4;
            const bool inside = v >= 0 && v < 8 && u >= 0 && u < 6;
            wrong += at(out, kShape, c, y, x) != (inside ? at(image, kShape, c, v, u) : 200);
          }
        }
      }
      CHECK(wrong == 0);
    }
  }
  crop(image, out, kShape, 0, 40, 20, 7);  // a window wholly in the border
  CHECK(out == std::vector<std::uint8_t>(image.size(), 7));
}

TEST_CASE("a flip mirrors each row, and twice is nothing") {
  const auto image = counting(kShape);
  auto flipped = image;
  flip(flipped, kShape);
  CHECK(at(flipped, kShape, 2, 3, 0) == at(image, kShape, 2, 3, 5));
  CHECK(at(flipped, kShape, 1, 7, 4) == at(image, kShape, 1, 7, 1));
  CHECK(flipped != image);
  flip(flipped, kShape);
  CHECK(flipped == image);
}

TEST_CASE("a hole has its full size in the middle and is clipped at the edge") {
  const ImageShape shape{2, 32, 32};
  const auto holes = [&](int row, int column) {
    std::vector<std::uint8_t> image(shape.bytes(), 9);
    cut_out(image, shape, row, column, 16);
    return std::pair{image, std::count(image.begin(), image.end(), 0)};
  };
  CHECK(holes(16, 16).second == 2 * 16 * 16);
  CHECK(holes(0, 0).second == 2 * 8 * 8);
  CHECK(holes(31, 31).second == 2 * 9 * 9);  // 23 … 31
  const auto [image, count] = holes(20, 4);
  CHECK(count == 2 * 16 * 12);
  CHECK(at(image, shape, 1, 12, 0) == 0);
  CHECK(at(image, shape, 1, 27, 11) == 0);
  CHECK(at(image, shape, 1, 11, 0) == 9);
  CHECK(at(image, shape, 1, 28, 0) == 9);
  CHECK(at(image, shape, 1, 20, 12) == 9);
}

TEST_CASE("without augmentation a pixel becomes (p/255 - mean) / std") {
  const Normalisation n{{.4914f, .4822f, .4465f}, {.2023f, .1994f, .2010f}};
  const auto image = counting(kShape);
  const auto out = augmented(Augmentation({}, kShape, n), image, 0);
  float worst = 0;
  for (std::size_t i = 0; i < image.size(); ++i) {
    const std::size_t c = i / 48;
    const float expected = (static_cast<float>(image[i]) / 255 - n.mean[c]) / n.std[c];
    worst = std::max(worst, std::abs(out[i] - expected));
  }
  CHECK(worst < 1e-6f);  // a few roundings of f32 near 2
}

TEST_CASE(
    "every augmented image is one of the possible crops, flipped or not, and all occur equally "
    "often") {
  const auto image = counting(kShape);
  std::vector<std::vector<float>> possible;
  for (int top = 0; top <= 2; ++top) {
    for (int left = 0; left <= 2; ++left) {
      for (bool mirrored : {false, true}) {
        std::vector<std::uint8_t> bytes(image.size());
        crop(image, bytes, kShape, top, left, 1, 128);
        if (mirrored) flip(bytes, kShape);
        auto& out = possible.emplace_back();
        for (std::uint8_t b : bytes) out.push_back(static_cast<float>(b / 255.0));
      }
    }
  }
  const Augmentation augmentation({.kind = Augment::crop_flip, .border = 1}, kShape, kPlain);
  std::vector<int> hits(possible.size());
  constexpr int kCount = 3600;
  for (std::uint64_t sample = 0; sample < kCount; ++sample) {
    const auto found =
        std::find(possible.begin(), possible.end(), augmented(augmentation, image, sample));
    REQUIRE(found != possible.end());
    ++hits[static_cast<std::size_t>(found - possible.begin())];
  }
  double chi_squared = 0;
  for (int h : hits) chi_squared += std::pow(h - kCount / 18.0, 2) / (kCount / 18.0);
  CHECK(chi_squared < 55);  // 17 degrees of freedom: exceeded with probability 7e-6
}

TEST_CASE("the hole is black before normalising, in every channel at the same place") {
  const ImageShape shape{3, 32, 32};
  const Normalisation n{{.5f, .25f, .125f}, {.5f, .5f, .25f}};
  const std::vector<std::uint8_t> white(shape.bytes(), 255);
  // Filled with white, crop and flip change nothing, and what is not white is the hole.
  const Augmentation augmentation({.kind = Augment::crop_flip_cutout, .fill = 255}, shape, n);
  std::set<std::ptrdiff_t> areas;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    const auto out = augmented(augmentation, white, sample);
    const std::vector<float> black = {-1, -.5f, -.5f}, bright = {1, 1.5f, 3.5f};
    std::size_t strange = 0;
    for (std::size_t p = 0; p < 1024; ++p) {
      for (std::size_t c = 0; c < 3; ++c) {
        strange += out[c * 1024 + p] != (out[p] == black[0] ? black[c] : bright[c]);
      }
    }
    REQUIRE(strange == 0);
    areas.insert(std::count(out.begin(), out.begin() + 1024, black[0]));
  }
  CHECK(*areas.begin() >= 64);    // the corner
  CHECK(*areas.rbegin() == 256);  // 16 × 16
  CHECK(areas.size() > 10);
}

TEST_CASE(
    "an image depends on its key alone, and cutout leaves the draws of crop and flip as they are") {
  const ImageShape shape{1, 32, 32};
  const Normalisation n{{0}, {1}};
  const auto image = counting(shape);
  const Augmentation plain({.kind = Augment::crop_flip}, shape, n);
  const Augmentation holed({.kind = Augment::crop_flip_cutout}, shape, n);
  CHECK(augmented(plain, image, 5) == augmented(plain, image, 5));
  CHECK(augmented(plain, image, 5) != augmented(plain, image, 6));
  const auto a = augmented(plain, image, 7), b = augmented(holed, image, 7);
  std::size_t strange = 0;
  for (std::size_t i = 0; i < a.size(); ++i) strange += b[i] != a[i] && b[i] != 0;
  CHECK(strange == 0);
}

TEST_CASE(
    "the seed's augmentation is crop, flip, policy and hole, in this order and from one stream") {
  const ImageShape shape{3, 32, 32};
  Image original{shape, {}};
  for (std::size_t i = 0; i < shape.bytes(); ++i) {
    original.pixels.push_back(static_cast<std::uint8_t>(i * 7 % 251));
  }
  const Normalisation n{{.5f, .5f, .5f}, {1, 1, 1}};
  for (const char* name : {"seed", "seed:svhn", "randaugment:3,14"}) {
    const AugmentOptions options = parse_augment(name);
    const Augmentation augmentation(options, shape, n);
    for (std::uint64_t sample = 0; sample < 100; ++sample) {
      Random random(1, Purpose::augmentation, 0, sample);
      Image image = original;
      std::vector<std::uint8_t> scratch;
      const int top = static_cast<int>(random.below(9)), left = static_cast<int>(random.below(9));
      crop(original.pixels, image.pixels, shape, top, left, 4, 128);
      if (random.chance(0.5)) flip(image.pixels, shape);
      if (options.kind == Augment::seed) {
        for (const auto& step : draw_auto_augment(options.policy, random)) {
          apply(step, image, scratch);
        }
      } else {
        for (int i = 0; i < 3; ++i) apply(draw_rand_augment(14, random), image, scratch);
      }
      const int row = static_cast<int>(random.below(32));
      const int column = static_cast<int>(random.below(32));
      cut_out(image.pixels, shape, row, column, 16);
      const auto out = augmented(augmentation, original.pixels, sample);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < out.size(); ++i) {
        wrong += out[i] != static_cast<float>(image.pixels[i] / 255.0 - 0.5);
      }
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE("an augmentation refuses a normalisation that does not fit its channels") {
  CHECK_THROWS_WITH_AS(Augmentation({}, kShape, {{0}, {1}}),
                       "images of 3 channels need as many means and deviations, got 1 and 1",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(Augmentation({}, kShape, {{0, 0, 0}, {1, 0, 1}}),
                       "channel 1 needs a finite mean and a positive deviation, got 0 and 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(Augmentation({.border = -1}, kShape, kPlain),
                       "the border of a crop must be 0 to 4096 pixels, got -1",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(Augmentation(parse_augment("seed"), {2, 8, 8}, {{0, 0}, {1, 1}}),
                       "operations work on pictures of 1 or 3 channels and sides of 1 to 16384 "
                       "pixels, got 2 channels of 8×8",
                       std::invalid_argument);
}
