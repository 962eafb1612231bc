#include "data/shard_order.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "engine/random.hpp"

namespace autodidact::data {

std::vector<std::uint32_t> shard_sequence(std::span<const std::size_t> sizes, std::uint64_t seed,
                                          std::uint64_t epoch) {
  std::vector<std::size_t> first{0};
  for (const std::size_t size : sizes) first.push_back(first.back() + size);
  const std::size_t samples = first.back();
  if (samples > std::size_t{1} << 32)
    throw std::invalid_argument(fmt::format("{} samples are too many to be shuffled", samples));
  std::vector<std::uint32_t> sequence;
  sequence.reserve(samples);
  for (const std::uint32_t shard :
       engine::permutation(seed, engine::Purpose::order, epoch, sizes.size())) {
    for (std::size_t i = first[shard]; i < first[shard + 1]; ++i)
      sequence.push_back(static_cast<std::uint32_t>(i));
  }
  return sequence;
}

std::vector<std::uint32_t> shard_order(std::span<const std::uint32_t> sequence, std::uint64_t seed,
                                       std::uint64_t epoch, std::size_t window) {
  if (window < 1)
    throw std::invalid_argument("samples cannot be shuffled in a window of no places");
  engine::Random random(seed, engine::Purpose::order, epoch, 1);
  std::vector<std::uint32_t> order, buffer;
  order.reserve(sequence.size());
  for (const std::uint32_t sample : sequence) {
    if (buffer.size() < window)
      buffer.push_back(sample);
    else
      order.push_back(std::exchange(buffer[random.below(window)], sample));
  }
  while (!buffer.empty()) {  // what is left, in random order
    std::swap(buffer[random.below(buffer.size())], buffer.back());
    order.push_back(buffer.back());
    buffer.pop_back();
  }
  return order;
}

}  // namespace autodidact::data
