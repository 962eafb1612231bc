// tests/data/golden_bytes.hpp: the files of golden pictures in tests/oracle: lines of text, a line "data", then bytes.
#pragma once
#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "data/file.hpp"

namespace autodidact::data {

class GoldenBytes {
 public:
  explicit GoldenBytes(const std::string& name)
      : bytes_(read_file(std::filesystem::path(AUTODIDACT_SOURCE_DIR) / "tests/oracle" / name)) {
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    const std::size_t end = text.find("\ndata\n");
    REQUIRE(end != std::string_view::npos);
    lines_ = std::istringstream(std::string(text.substr(0, end + 1)));
    at_ = end + 6;
  }
  GoldenBytes(const GoldenBytes&) = delete;
  GoldenBytes& operator=(const GoldenBytes&) = delete;
  ~GoldenBytes() { CHECK(at_ == bytes_.size()); }  // nothing is left over

  bool next_line(std::istringstream& words) {
    std::string line;
    if (!std::getline(lines_, line)) return false;
    words = std::istringstream(line);
    return true;
  }

  std::vector<std::uint8_t> take(std::size_t count) {
    REQUIRE(at_ + count <= bytes_.size());
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += count;
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::istringstream lines_;
  std::size_t at_ = 0;
};

}  // namespace autodidact::data
