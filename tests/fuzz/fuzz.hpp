// tests/fuzz/fuzz.hpp: what the fuzz targets share.
//
// A target is one file with one function, LLVMFuzzerTestOneInput, that hands bytes to a parser. It holds the parser to this:
// whatever the bytes are, it either returns what can be used, or throws the class of error that its header documents, with one
// sentence that may be printed as it is. Any other exception ends the process, as does any finding of a sanitizer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

// The one function of a target, called by libFuzzer or by replay.cpp. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace autodidact::fuzz {

using Bytes = std::span<const std::uint8_t>;

inline std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// Ends the process, saying why.
[[noreturn]] void fail(std::string_view what, std::string_view text);

// Fails unless the text is one sentence that a terminal can be given: not empty, not long, no control characters.
void require_sentence(std::string_view text);

// `parse` returns, or throws Refusal with a sentence.
template <class Refusal, class Parse>
void parses_or_refuses(const Parse& parse) {
  try {
    parse();
  } catch (const Refusal& refusal) {
    require_sentence(refusal.what());
  }
}

// A folder of this process, in memory where the system has such a place, that is removed when the process ends well.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Makes the file hold these bytes.
  std::filesystem::path write(std::string_view name, Bytes bytes) const;

 private:
  std::filesystem::path path_;
};

}  // namespace autodidact::fuzz
