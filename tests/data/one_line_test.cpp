#include "data/one_line.hpp"

#include <doctest/doctest.h>

using autodidact::data::in_quotes, autodidact::data::is_utf8, autodidact::data::one_line;

TEST_CASE("text of unknown origin is one line of bounded length") {
  CHECK(one_line("a\nb\x1b[2J\x7f ä") == "a\\u000ab\\u001b[2J\\u007f ä");
  CHECK(one_line("abcdef", 3) == "abc…");
  CHECK(one_line("a\n\n", 12) == "a\\u000a…");
  CHECK(one_line("a\n", 7) == "a\\u000a");
  CHECK(in_quotes("a\"\n\xff") == "\"a\\\"\\n\\ufffd\"");
  CHECK(in_quotes(std::string(1000, 'x')).size() == 202);
}

TEST_CASE("UTF-8 is told from other bytes") {
  for (const char* text : {"", "cafe", "café", "€ 😀"}) CHECK(is_utf8(text));
  for (const char* text : {"caf\xe9", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xff"})
    CHECK_FALSE(is_utf8(text));
}
