// tests/fuzz/mutate.hpp: inputs that parsers were not written for, made from those of a corpus.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace autodidact::fuzz {

using Input = std::vector<std::uint8_t>;

// A sequence of inputs that depends on nothing but the corpus. Each is a file of it after one to four changes: bits, bytes and numbers
// (binary of either order, or in digits) become others, pieces are cut out, doubled, or taken from another file.
class Mutator {
 public:
  // The corpus may not be empty. No input is longer than `longest`.
  Mutator(std::span<const Input> corpus, std::size_t longest) : corpus_(corpus), longest_(longest) {}
  Input next();

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>(random_() % bound); }
  const Input& any() { return corpus_[below(corpus_.size())]; }
  std::span<const std::uint8_t> piece_of(const Input& input);
  void change(Input& input);
  void change_bytes(Input& input);
  void change_number(Input& input);
  void change_digits(Input& input);
  void insert(Input& input, std::span<const std::uint8_t> piece);

  std::span<const Input> corpus_;
  std::size_t longest_;
  std::mt19937_64 random_{1};  // its numbers are the same everywhere
};

}  // namespace autodidact::fuzz
