#include "engine/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace autodidact::engine;

namespace {

std::vector<std::uint64_t> draw(Random random, int count) {
  std::vector<std::uint64_t> values;
  for (int i = 0; i < count; ++i) values.push_back(random.bits());
  return values;
}

}  // namespace

TEST_CASE("Philox4x64-10 gives the words of its published known-answer test") {
  // kat_vectors of the Random123 distribution: counter 0, key 0. Purpose 0 is nobody's, so that the key is all zeros.
  Random random(0, static_cast<Purpose>(0), 0, 0);
  CHECK(random.bits() == 0x16554d9eca36314cULL);
  CHECK(random.bits() == 0xdb20fe9d672d0fdcULL);
  CHECK(random.bits() == 0xd7e772cee186176bULL);
  CHECK(random.bits() == 0x7e68b68aec7ba23bULL);
}

TEST_CASE("a key gives the same numbers on every thread and in every order of asking") {
  std::vector<std::vector<std::uint64_t>> forward(8), backward(8);
  std::thread one([&] {
    for (std::uint64_t s = 0; s < 8; ++s) {
      forward[s] = draw({42, Purpose::augmentation, 3, s}, 100);
    }
  });
  std::thread two([&] {
    for (std::uint64_t s = 8; s-- > 0;) {
      backward[s] = draw({42, Purpose::augmentation, 3, s}, 100);
    }
  });
  one.join();
  two.join();
  CHECK(forward == backward);
}

TEST_CASE("seed, purpose, epoch and sample each select another stream") {
  const std::vector<Random> streams = {
      {1, Purpose::order, 2, 3}, {2, Purpose::order, 2, 3},  {1, Purpose::split, 2, 3},
      {1, Purpose::order, 3, 3}, {1, Purpose::order, 2, 4},  {1, Purpose::order, 3, 2},
      {3, Purpose::order, 2, 1}, {0, Purpose::order, 0, 0},  {0, Purpose::split, 0, 0},
      {0, Purpose::order, 1, 0}, {~0ULL, Purpose::order, 0}, {0, Purpose::order, ~0ULL, ~0ULL}};
  std::set<std::uint64_t> seen;
  for (const Random& stream : streams) {
    for (std::uint64_t value : draw(stream, 1000)) seen.insert(value);
  }
  CHECK(seen.size() ==
        streams.size() * 1000);  // a repeat among 12,000 of 2^64 has probability 4e-12
}

TEST_CASE("uniform numbers lie in [0,1) with the moments of the uniform distribution") {
  Random random(7, Purpose::probe);
  constexpr int kCount = 100000;
  double sum = 0, squares = 0, low = 1, high = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform();
    sum += u;
    squares += u * u;
    low = std::min(low, u);
    high = std::max(high, u);
  }
  CHECK(low >= 0);
  CHECK(high < 1);
  CHECK(std::abs(sum / kCount - 1.0 / 2) <
        5 * std::sqrt(1.0 / 12 / kCount));  // five standard errors
  CHECK(std::abs(squares / kCount - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / kCount));
  for (int i = 0; i < 100; ++i) {
    const double u = random.uniform(-3, -1);
    CHECK(u >= -3);
    CHECK(u < -1);
  }
}

TEST_CASE("bounded integers take every value equally often") {
  Random random(11, Purpose::probe);
  constexpr int kCount = 90000;
  std::array<int, 9> hits{};
  for (int i = 0; i < kCount; ++i) ++hits.at(random.below(9));
  double chi_squared = 0;
  for (int h : hits) chi_squared += std::pow(h - kCount / 9.0, 2) / (kCount / 9.0);
  CHECK(chi_squared < 40);  // 8 degrees of freedom: exceeded with probability 3e-6
}

TEST_CASE("bounded integers have no modulo bias even where the bound is near 2^64") {
  // With bound = 3/4 of 2^64, `bits % bound` would land in the lowest third twice as often as elsewhere.
  const std::uint64_t bound = 3ULL << 62;
  Random random(5, Purpose::probe);
  int lowest_third = 0;
  constexpr int kCount = 30000;
  for (int i = 0; i < kCount; ++i) {
    const std::uint64_t value = random.below(bound);
    REQUIRE(value < bound);
    if (value < bound / 3) ++lowest_third;
  }
  CHECK(std::abs(lowest_third / double{kCount} - 1.0 / 3) <
        5 * std::sqrt(2.0 / 9 / kCount));  // five standard errors
  CHECK(random.below(1) == 0);
  CHECK_THROWS_WITH_AS(random.below(0), "Random::below: the bound must be at least 1, got 0",
                       std::invalid_argument);
}

TEST_CASE("chance never fires at 0, always at 1, and half the time at one half") {
  Random random(13, Purpose::probe);
  int half = 0;
  for (int i = 0; i < 10000; ++i) {
    CHECK_FALSE(random.chance(0));
    CHECK(random.chance(1));
    half += random.chance(0.5);
  }
  CHECK(std::abs(half - 5000) < 250);
}

TEST_CASE("normal numbers have mean 0, variance 1, no skew, and kurtosis 3") {
  Random random(17, Purpose::probe);
  constexpr int kCount = 200000;
  std::array<double, 5> moment{};
  double pairs = 0, previous = 0;
  for (int i = 0; i < kCount; ++i) {
    const double z = random.normal();
    for (int p = 1; p <= 4; ++p) moment[p] += std::pow(z, p) / kCount;
    pairs += z * previous / kCount;
    previous = z;
  }
  // Five standard errors: the variance of z^p is 1, 2, 15, 96.
  CHECK(std::abs(moment[1]) < 5 * std::sqrt(1.0 / kCount));
  CHECK(std::abs(moment[2] - 1) < 5 * std::sqrt(2.0 / kCount));
  CHECK(std::abs(moment[3]) < 5 * std::sqrt(15.0 / kCount));
  CHECK(std::abs(moment[4] - 3) < 5 * std::sqrt(96.0 / kCount));
  CHECK(std::abs(pairs) < 5 * std::sqrt(1.0 / kCount));  // neighbours are uncorrelated
}

TEST_CASE("a permutation holds each number once and depends on seed, purpose and epoch") {
  const auto order = permutation(1, Purpose::order, 0, 1000);
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::uint32_t i = 0; i < 1000; ++i) CHECK(sorted[i] == i);
  CHECK(order == permutation(1, Purpose::order, 0, 1000));
  CHECK(order != permutation(2, Purpose::order, 0, 1000));
  CHECK(order != permutation(1, Purpose::split, 0, 1000));
  CHECK(order != permutation(1, Purpose::order, 1, 1000));
  CHECK(permutation(1, Purpose::order, 0, 0).empty());
  CHECK(permutation(1, Purpose::order, 0, 1) == std::vector<std::uint32_t>{0});
}

TEST_CASE("all orders of three numbers are equally likely") {
  std::array<int, 27> hits{};
  constexpr int kCount = 6000;
  for (std::uint64_t epoch = 0; epoch < kCount; ++epoch) {
    const auto p = permutation(3, Purpose::order, epoch, 3);
    ++hits[p[0] * 9 + p[1] * 3 + p[2]];
  }
  double chi_squared = 0;
  int orders = 0;
  for (int h : hits) {
    if (h == 0) continue;
    ++orders;
    chi_squared += std::pow(h - kCount / 6.0, 2) / (kCount / 6.0);
  }
  CHECK(orders == 6);
  CHECK(chi_squared < 35);  // 5 degrees of freedom: exceeded with probability 1.5e-6
}
