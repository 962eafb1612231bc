// What the tests of files share: a folder that removes itself, whole files as strings, and the two ways to make a write
// fail that also work for root, whom permissions do not stop.
#pragma once

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace autodidact::train::testing {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "autodidact-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no scratch directory");
    path_ = pattern;
    ::chmod(path_.c_str(), 0755);  // so that WithoutWriteAccess may look, though not write
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::remove(
      path);  // file systems flush a file that is truncated and written again: slow in a loop
  std::ofstream(path, std::ios::binary) << text;
}

/// The text of the exception that `call` throws as an E; empty where it throws none.
template <typename E, typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return {};
}

/// As long as it lives, no file of this process grows beyond `bytes`: a disk that fills up.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    rlimit limit = old_limit_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_limit_{};
  void (*old_handler_)(int);
};

/// As long as it lives, `directory` cannot be written to; root becomes nobody for that time.
class WithoutWriteAccess {
 public:
  explicit WithoutWriteAccess(std::filesystem::path directory) : directory_(std::move(directory)) {
    ::chmod(directory_.c_str(), 0555);
    constexpr uid_t kNobody = 65534;
    was_root_ = ::geteuid() == 0;
    effective_ = !was_root_ || ::seteuid(kNobody) == 0;
  }
  ~WithoutWriteAccess() {
    if (was_root_ && effective_ && ::seteuid(0) != 0) std::abort();
    ::chmod(directory_.c_str(), 0755);
  }
  WithoutWriteAccess(const WithoutWriteAccess&) = delete;
  WithoutWriteAccess& operator=(const WithoutWriteAccess&) = delete;
  /// False in a container whose root may not change its user.
  bool effective() const { return effective_; }

 private:
  std::filesystem::path directory_;
  bool was_root_ = false;
  bool effective_ = false;
};

}  // namespace autodidact::train::testing
