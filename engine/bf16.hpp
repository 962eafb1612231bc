// engine/bf16.hpp: bfloat16, the upper half of an f32: its range, and 8 bits of significance (a relative error of at most 2^-8
// when a number is rounded). Memory holds it; every sum and product is f32 or wider.
#pragma once
#include <bit>
#include <cstdint>
#include <utility>

#include "engine/shape.hpp"

namespace autodidact::engine {

// Converts where it is read and written, so a kernel over T = float is one over T = Bf16 too. Free of branches: loops of it become
// vector code.
struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  // To the nearest, ties to even; NaN stays NaN (adding to its bits could make an infinity of it).
  Bf16(float number) {
    const auto wide = std::bit_cast<std::uint32_t>(number);
    const std::uint32_t rounded = (wide + 0x7FFFU + ((wide >> 16U) & 1U)) >> 16U;
    bits = static_cast<std::uint16_t>(number != number ? 0x7FC0U : rounded);
  }
  operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16U); }
};

// Calls body with a number of the element type that `type` names, f32 or bf16: only its type counts.
template <class Body>
decltype(auto) with_element(DType type, Body&& body) {
  return type == DType::bf16 ? std::forward<Body>(body)(Bf16{}) : std::forward<Body>(body)(float{});
}
}  // namespace autodidact::engine
