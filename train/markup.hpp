// train/markup.hpp: text from outside, made fit to stand in XML and HTML, in an element or in a quoted attribute.
#pragma once
#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace autodidact::train {

/// Markup is escaped, control characters become spaces, broken UTF-8 becomes U+FFFD.
std::string escaped(std::string_view text);

/// What writes markup piece by piece, each ended by a line feed.
class MarkupLines {
 protected:
  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }
  std::string out_;
};

}  // namespace autodidact::train
