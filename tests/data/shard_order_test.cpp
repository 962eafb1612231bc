#include "data/shard_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "engine/random.hpp"

using namespace autodidact;
using data::shard_sequence;

namespace {
const std::vector<std::size_t> kSizes = {40, 0, 25, 60, 1, 74};

std::vector<std::uint32_t> shard_order(const std::vector<std::size_t>& sizes, std::uint64_t seed,
                                       std::uint64_t epoch, std::size_t window) {
  return data::shard_order(shard_sequence(sizes, seed, epoch), seed, epoch, window);
}
}  // namespace

TEST_CASE("an order of shards has every sample once, another in each epoch and for each seed") {
  std::vector<std::uint32_t> all(200);
  std::iota(all.begin(), all.end(), 0u);
  for (const std::size_t window : {std::size_t{1}, std::size_t{16}, std::size_t{1000}}) {
    auto order = shard_order(kSizes, 5, 2, window);
    CHECK((order == shard_order(kSizes, 5, 2, window)));
    CHECK((order != shard_order(kSizes, 5, 3, window)));
    CHECK((order != shard_order(kSizes, 6, 2, window)));
    std::sort(order.begin(), order.end());
    CHECK((order == all));
  }
  CHECK(shard_order({}, 1, 0, 16).empty());
  CHECK_THROWS_AS(shard_order(kSizes, 1, 0, 0), std::invalid_argument);
}

TEST_CASE(
    "shards are read one after the other: no sample leaves before the window has reached it") {
  const std::size_t window = 16;
  const auto shards = engine::permutation(5, engine::Purpose::order, 2, kSizes.size());
  std::vector<std::size_t> reached(200);  // when reading comes to a sample
  std::size_t time = 0;
  for (const std::uint32_t shard : shards) {
    const auto first = std::accumulate(kSizes.begin(), kSizes.begin() + shard, std::size_t{0});
    for (std::size_t i = 0; i < kSizes[shard]; ++i) reached[first + i] = time++;
  }
  const auto sequence = shard_sequence(kSizes, 5, 2);
  REQUIRE(sequence.size() == reached.size());
  for (std::size_t k = 0; k < sequence.size(); ++k) CHECK(reached[sequence[k]] == k);
  const auto order = shard_order(kSizes, 5, 2, window);
  std::size_t moved = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    CHECK(reached[order[k]] < k + window);
    moved += reached[order[k]] != k;
  }
  CHECK(moved > 150);
  const auto straight = shard_order(kSizes, 5, 2, 1);
  for (std::size_t k = 0; k < straight.size(); ++k) CHECK(reached[straight[k]] == k);
}
