// JSON that comes from a file and may be damaged or meant to harm: what the parser would pass over silently is refused.
#pragma once
#include <cmath>
#include <concepts>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace autodidact::train {

struct JsonLimits {
  std::size_t nesting = 4;   // objects and arrays inside one another
  std::size_t array = 4096;  // elements of an array that holds more than arrays and objects
};

/// Throws std::invalid_argument unless the text is one JSON value, within the limits, in which no object has a key twice. What it says
/// goes on from the name of what was parsed: "is not JSON at byte 6".
nlohmann::json parse_strict_json(std::string_view text, JsonLimits limits = {});

/// The number as a T. Throws std::invalid_argument where it is no number, has a fraction, or is beyond T.
template <std::integral T>
T whole_number(const nlohmann::json& value) {
  const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                               : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
  if (!fits) throw std::invalid_argument("has a number that is not whole or too large");
  return value.is_number_unsigned() ? static_cast<T>(value.get<std::uint64_t>()) : static_cast<T>(value.get<std::int64_t>());
}

}  // namespace autodidact::train
