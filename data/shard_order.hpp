// data/shard_order.hpp: a random order in which files of many samples are read from front to end.
//
// A full shuffle would jump from sample to sample. Here the shards come in a random order, and their samples, one after
// the other, pass through a buffer of `window` places: each sample takes the place of a random one, which leaves. Only numbers are
// buffered, so an order is known before anything is read; the bytes wait in the system's cache, for which they are asked from front
// to end as they come into the window (Dataset::read_ahead).
// Draws: (seed, Purpose::order, epoch): the shards as sample 0, the buffer as sample 1.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace autodidact::data {

inline constexpr std::size_t kShuffleWindow = 8192;  // samples; some 1 GB of photographs

// The samples as they lie, shard after shard. sizes: samples of each shard, in the order of their numbers. The result has each number
// 0 … Σ sizes − 1 once. At most 2^32 samples, else std::invalid_argument.
std::vector<std::uint32_t> shard_sequence(std::span<const std::size_t> sizes, std::uint64_t seed,
                                          std::uint64_t epoch);

// The same samples as they leave the window: number k is one of the first k + window of the sequence. window ≥ 1, else
// std::invalid_argument.
std::vector<std::uint32_t> shard_order(std::span<const std::uint32_t> sequence, std::uint64_t seed,
                                       std::uint64_t epoch, std::size_t window = kShuffleWindow);

}  // namespace autodidact::data
