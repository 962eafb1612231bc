// Text of unknown origin, and as a part of a sentence: bytes from a file could otherwise break it into lines, fill the screen, or send control
// sequences to the terminal.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace autodidact::data {

/// Control characters as \u000a, and at most so many bytes of that, then "…".
std::string one_line(std::string_view text, std::size_t most = 1000);

/// In quotes, everything but printable ASCII escaped as in JSON, and at most 200 bytes of it.
std::string in_quotes(std::string_view text);

bool is_utf8(const std::string& text);

}  // namespace autodidact::data
