// train/markup.hpp: text from outside, made fit to stand in XML and HTML, in an element or in a quoted attribute.
#pragma once
#include <string>
#include <string_view>

namespace autodidact::train {

/// Markup is escaped, control characters become spaces, broken UTF-8 becomes U+FFFD.
std::string escaped(std::string_view text);

}  // namespace autodidact::train
