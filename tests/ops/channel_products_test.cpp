#include "ops/channel_products.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <vector>

using namespace autodidact::ops::channel_products;

// Of planes (N, blocks, H·W, 16), where most of the numbers are zeros: those of all images, channels or pixels but every eighth. Steps from sample to sample
// that a plane or the channels divide would see all of them, or none.
TEST_CASE("channel products: the mean square of a few blocks is near that of all, whatever part of images, channels and planes is empty") {
  for (const std::int64_t positions : {16, 64, 256, 1024})
    for (const std::int64_t blocks : {4, 16, 64}) {
      const std::int64_t images = std::max<std::int64_t>(16, 65536 / (positions * blocks)), count = images * blocks * positions;
      using Kept = std::function<bool(std::int64_t, std::int64_t, std::int64_t)>;
      const Kept every_eighth[] = {[](auto n, auto, auto) { return n % 8 == 3; }, [](auto, auto c, auto) { return c % 4 == 1; },
                                   [](auto, auto, auto p) { return p % 8 == 5; }, [&](auto, auto, auto p) { return p < positions / 8; }};
      for (const Kept& kept : every_eighth) {
        std::vector<Channels> data(static_cast<std::size_t>(count));
        double all = 0;
        for (std::int64_t i = 0; i < count; ++i)
          if (kept(i / (positions * blocks), i / positions % blocks, i % positions)) data[static_cast<std::size_t>(i)] += 2.0F, all += 4;
        const double few = mean_square(reinterpret_cast<const float*>(data.data()), 1, 0, count);
        CAPTURE(positions);
        CAPTURE(blocks);
        CHECK(few > all / static_cast<double>(count) / 2);
        CHECK(few < all / static_cast<double>(count) * 2);
      }
    }
}

TEST_CASE("channel products: a lone number is found where samples miss it, and nothing is nothing") {
  constexpr std::int64_t kBlocks = 10000;
  std::vector<Channels> data(kBlocks);
  const auto* numbers = reinterpret_cast<const float*>(data.data());
  CHECK(mean_square(numbers, 1, 0, kBlocks) == 0);
  CHECK(balance(0, 1).sums == Sums::single);
  data[7][3] = 5;  // not the first of any sample
  CHECK(mean_square(numbers, 1, 0, kBlocks) == doctest::Approx(25.0 / (kBlocks * 16)));
}

TEST_CASE("channel products: x times the scale is as large as y, to the power of two") {
  for (const double x : {1e-20, 3e-5, 1.0, 7e9})
    for (const double y : {1e-20, 1.0, 5e17}) {
      const Balance balanced = balance(x, y);
      CHECK(balanced.sums == Sums::paired);
      const double scaled = x * balanced.scale * balanced.scale;
      CHECK(scaled >= y / 2.0001);
      CHECK(scaled <= y * 2.0001);
    }
  for (const auto& [x, y] : {std::pair{1e-30, 1.0}, {1.0, 1e30}, {1.0, 0.0}}) CHECK(balance(x, y).sums == Sums::single);
}
