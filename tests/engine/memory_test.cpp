#include "engine/memory.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using namespace autodidact::engine;

TEST_CASE("memory is aligned, and what lies in it survives the freeing of its neighbours") {
  constexpr std::size_t kBytes = std::size_t{16} << 20U;
  std::vector<Memory> pieces;
  for (int i = 0; i < 4; ++i) {
    pieces.push_back(allocate(kBytes - 64));
    CHECK(reinterpret_cast<std::uintptr_t>(pieces.back().get()) % (std::size_t{2} << 20U) == 0);
    for (std::size_t at = 0; at < kBytes - 64; ++at) pieces.back().get()[at] = static_cast<std::byte>(at * 31 + static_cast<std::size_t>(i));
  }
  pieces[0].reset();
  pieces[2] = allocate(100);
  std::size_t wrong = 0;
  for (const int i : {1, 3})
    for (std::size_t at = 0; at < kBytes - 64; ++at)
      wrong += pieces[static_cast<std::size_t>(i)].get()[at] != static_cast<std::byte>(at * 31 + static_cast<std::size_t>(i));
  CHECK(wrong == 0);
}

TEST_CASE("nothing is allocated for nothing") { CHECK(allocate(0) == nullptr); }
