// JSON that a parser would take and that is refused, and text of unknown origin inside a sentence.
#include "train/strict_json.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "tests/train/scratch.hpp"

namespace {
using namespace autodidact::train;

std::string refusal(const std::string& text, JsonLimits limits = {}) {
  return testing::message_of<std::invalid_argument>([&] { parse_strict_json(text, limits); });
}
template <class T>
bool is_whole(const char* text) {
  return testing::message_of<std::invalid_argument>([&] { whole_number<T>(parse_strict_json(text)); }).empty();
}
}  // namespace

TEST_CASE("strict JSON: equal keys, deep nesting, long arrays and numbers beyond a double are refused") {
  CHECK(refusal("{\"a\":1,\"b\":{\"a\":[1,null]}}").empty());
  CHECK(refusal("{\"a\":1,\"\\u0061\":1}") == "has the key \"a\" twice");
  CHECK(refusal("[{\"\\u001b\":1,\"\\u001b\":1}]") == "has the key \"\\u001b\" twice");
  CHECK(refusal("[[[]]]", {.nesting = 3}).empty());
  CHECK(refusal("[[[]]]", {.nesting = 2}) == "is nested deeper than 2 levels");
  CHECK(refusal(std::string(1000000, '[')) == "is nested deeper than 4 levels");
  CHECK(refusal("[1,2,3]", {.array = 2}) == "has an array of more than 2 numbers");
  CHECK(refusal("1e999") == "has a number that is too large");
  CHECK(refusal("{\"a\":") == "is not JSON at byte 6");
}

TEST_CASE("strict JSON: a whole number is one that the type holds") {
  CHECK(is_whole<int>("2147483647"));
  CHECK(is_whole<int>("-2147483648"));
  CHECK_FALSE(is_whole<int>("2147483648"));
  CHECK(is_whole<std::int64_t>("9223372036854775807"));
  CHECK_FALSE(is_whole<std::int64_t>("9223372036854775808"));
  for (const char* other : {"1.5", "1e300", "true", "null", "\"1\"", "[1]"}) {
    CAPTURE(other);
    CHECK_FALSE(is_whole<std::int64_t>(other));
  }
}
