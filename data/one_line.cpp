#include "data/one_line.hpp"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

namespace autodidact::data {

std::string one_line(std::string_view text, std::size_t most) {
  std::string line;
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) fmt::format_to(std::back_inserter(line), "\\u{:04x}", byte);
    else line += c;
  }
  if (text.size() > most) line += "…";
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
