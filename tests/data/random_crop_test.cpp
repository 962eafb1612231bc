#include "data/random_crop.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace autodidact::data;
using autodidact::engine::Purpose;
using autodidact::engine::Random;

TEST_CASE(
    "random crops lie inside, with the area and ratio that they may have, and reach everywhere") {
  double least = 1, most = 0, narrow = 9, wide = 0;
  std::set<std::pair<int, int>> corners;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    Random random(3, Purpose::augmentation, 0, i);
    const Box box = draw_random_crop(300, 400, random);
    REQUIRE((box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0));
    REQUIRE((box.top + box.height <= 300 && box.left + box.width <= 400));
    const double area = box.height * box.width / 120000.0,
                 ratio = static_cast<double>(box.width) / box.height;
    least = std::min(least, area), most = std::max(most, area);
    narrow = std::min(narrow, ratio), wide = std::max(wide, ratio);
    corners.insert({box.top / 60, box.left / 80});
    Random again(3, Purpose::augmentation, 0, i);
    CHECK(draw_random_crop(300, 400, again) == box);
  }
  // Sides are rounded: half a pixel of 80 is less than 1 %.
  CHECK(least == doctest::Approx(0.08).epsilon(0.02));
  CHECK(most > 0.95);
  CHECK(narrow == doctest::Approx(0.75).epsilon(0.01));
  CHECK(wide == doctest::Approx(4.0 / 3).epsilon(0.01));
  CHECK(corners.size() >= 12);
}

TEST_CASE("where no draw fits, the largest box in the middle is taken") {
  for (std::uint64_t i = 0; i < 20; ++i) {
    Random random(3, Purpose::augmentation, 0, i);
    CHECK(draw_random_crop(1, 1000, random) == Box{0, 499, 1, 1});
    CHECK(draw_random_crop(1000, 3, random) == Box{498, 0, 4, 3});
  }
}
