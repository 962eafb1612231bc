#include "engine/random.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

namespace autodidact::engine {

// The product of two 64-bit numbers; ISO C++ has no name for its type.
__extension__ using Product = unsigned __int128;

void Random::refill() {
  const r123::Philox4x64 philox;
  const auto block = philox({{draw_++, epoch_, sample_, 0}}, {{key_[0], key_[1]}});
  block_ = {block[0], block[1], block[2], block[3]};
  used_ = 0;
}

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) throw std::invalid_argument("Random::below: the bound must be at least 1, got 0");
  // The high half of bits × bound is the number. 2^64 bits fall unevenly onto bound numbers, so as many low halves as are left
  // over (2^64 mod bound) are drawn again.
  Product product = static_cast<Product>(bits()) * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t left_over = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < left_over) {
      product = static_cast<Product>(bits()) * bound;
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 − [0,1) is never 0
  const double angle = 2 * std::numbers::pi * uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::vector<std::uint32_t> permutation(std::uint64_t seed, Purpose purpose, std::uint64_t epoch,
                                       std::size_t count) {
  if (count > std::size_t{1} << 32) {
    throw std::invalid_argument("permutation: at most 2^32 numbers can be permuted, got " +
                                std::to_string(count));
  }
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  Random random(seed, purpose, epoch);
  for (std::size_t left = count; left > 1; --left) {
    std::swap(order[left - 1], order[random.below(left)]);
  }
  return order;
}

}  // namespace autodidact::engine
