#include "tests/fuzz/mutate.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace autodidact::fuzz {
namespace {

constexpr std::array<std::uint64_t, 12> kNumbers{0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~std::uint64_t{0}};
// Numbers and words, some of which no type holds.
constexpr std::array<std::string_view, 16> kWords{"0", "-1", "1e999", "-1e999", "1e-999", "2147483648", "4294967296", "9223372036854775808", "18446744073709551615",
                                                  "18446744073709551616", "0.5", "1e300", "null", "NaN", "[]", "{}"};

bool is_digit(std::uint8_t byte) { return byte >= '0' && byte <= '9'; }
}  // namespace

std::span<const std::uint8_t> Mutator::piece_of(const Input& input) {
  const std::size_t begin = below(input.size());
  return std::span(input).subspan(begin, below(input.size() - begin + 1));
}

void Mutator::insert(Input& input, std::span<const std::uint8_t> piece) {
  const Input copy(piece.begin(), piece.end());  // it may be a piece of the input itself
  input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(input.size() + 1)), copy.begin(), copy.end());
}

void Mutator::change_bytes(Input& input) {
  for (std::size_t n = 1 + below(4); n > 0 && !input.empty(); --n) {
    std::uint8_t& byte = input[below(input.size())];
    byte = below(2) == 0 ? static_cast<std::uint8_t>(byte ^ 1U << below(8)) : static_cast<std::uint8_t>(random_());
  }
}

void Mutator::change_number(Input& input) {
  const std::size_t width = std::size_t{1} << below(4);
  if (input.size() < width) return;
  const std::size_t at = below(input.size() - width + 1);
  const std::uint64_t number = kNumbers[below(kNumbers.size())];
  const bool big_endian = below(2) == 0;
  for (std::size_t i = 0; i < width; ++i) input[at + (big_endian ? width - 1 - i : i)] = static_cast<std::uint8_t>(number >> (8 * i));
}

void Mutator::change_digits(Input& input) {
  const auto from = input.begin() + static_cast<std::ptrdiff_t>(below(input.size()));
  const auto begin = std::find_if(from, input.end(), is_digit), end = std::find_if_not(begin, input.end(), is_digit);
  const std::string_view word = kWords[below(kWords.size())];
  input.insert(input.erase(begin, end), word.begin(), word.end());
}

void Mutator::change(Input& input) {
  switch (below(7)) {
    case 0:
      return change_bytes(input);
    case 1:
      return change_number(input);
    case 2:
      return change_digits(input);
    case 3:
      return insert(input, piece_of(any()));
    case 4:
      return insert(input, piece_of(input));
    case 5:
      return input.resize(below(input.size() + 1));
    default: {
      const auto piece = piece_of(input);
      const auto begin = input.begin() + (piece.data() - input.data());
      input.erase(begin, begin + static_cast<std::ptrdiff_t>(piece.size()));
    }
  }
}

Input Mutator::next() {
  Input input = any();
  for (std::size_t n = 1 + below(4); n > 0; --n) change(input);
  input.resize(std::min(input.size(), longest_));
  return input;
}

}  // namespace autodidact::fuzz
