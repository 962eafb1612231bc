#include "data/one_line.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace autodidact::data {

std::string one_line(std::string_view text, std::size_t most) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const std::string part = byte < ' ' || byte == 0x7f ? fmt::format("\\u{:04x}", byte) : std::string(1, c);
    if (line.size() + part.size() > most) return line + "…";
    line += part;
  }
  return line;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 200;
  return nlohmann::json(std::string(text.substr(0, kMost))).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

bool is_utf8(const std::string& text) {
  try {
    (void)nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace autodidact::data
