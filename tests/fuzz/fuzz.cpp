#include "tests/fuzz/fuzz.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace autodidact::fuzz {
namespace fs = std::filesystem;
namespace {

// A sentence names at most one file, of this process' folder, and quotes at most one name of 200 bytes, each escaped to 6 at most.
constexpr std::size_t kLongestSentence = 1500;
}  // namespace

void fail(std::string_view what, std::string_view text) {
  std::fprintf(stderr, "fuzz: %.*s: %.*s\n", static_cast<int>(what.size()), what.data(), static_cast<int>(std::min(text.size(), 2 * kLongestSentence)),
               text.data());
  std::abort();
}

void require_sentence(std::string_view text) {
  if (text.empty()) fail("a refusal says nothing", text);
  if (text.size() > kLongestSentence) fail("a refusal is too long", text);
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (std::any_of(text.begin(), text.end(), control)) fail("a refusal has control characters", text);
}

Folder::Folder() {
  std::error_code error;
  const fs::path memory = "/dev/shm";
  const bool usable = fs::is_directory(memory, error) && ::access(memory.c_str(), W_OK | X_OK) == 0;
  std::string pattern = ((usable ? memory : fs::temp_directory_path()) / "autodidact-fuzz-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) fail("no folder", pattern);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path Folder::write(std::string_view name, Bytes bytes) const {
  const fs::path path = path_ / name;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool whole = file >= 0 && ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (!whole || ::close(file) != 0) fail("a file could not be written", path.string());
  return path;
}

}  // namespace autodidact::fuzz
