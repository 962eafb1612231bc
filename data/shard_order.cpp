#include "data/shard_order.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "engine/random.hpp"

namespace autodidact::data {

std::vector<std::uint32_t> shard_order(std::span<const std::size_t> sizes, std::uint64_t seed,
                                       std::uint64_t epoch, std::size_t window) {
  std::vector<std::size_t> first{0};
  for (const std::size_t size : sizes) first.push_back(first.back() + size);
  const std::size_t samples = first.back();
  if (window < 1 || samples > std::size_t{1} << 32) {
    throw std::invalid_argument(
        fmt::format("{} samples cannot be shuffled in a window of {}", samples, window));
  }
  engine::Random random(seed, engine::Purpose::order, epoch, 1);
  std::vector<std::uint32_t> order, buffer;
  order.reserve(samples);
  for (const std::uint32_t shard :
       engine::permutation(seed, engine::Purpose::order, epoch, sizes.size())) {
    for (std::size_t i = first[shard]; i < first[shard + 1]; ++i) {
      if (buffer.size() < window) {
        buffer.push_back(static_cast<std::uint32_t>(i));
        continue;
      }
      order.push_back(std::exchange(buffer[random.below(window)], static_cast<std::uint32_t>(i)));
    }
  }
  while (!buffer.empty()) {  // what is left, in random order
    std::swap(buffer[random.below(buffer.size())], buffer.back());
    order.push_back(buffer.back());
    buffer.pop_back();
  }
  return order;
}

}  // namespace autodidact::data
