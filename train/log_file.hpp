// train/log_file.hpp: a file that grows by whole pieces: each is one write, so a crash loses nothing that was appended, and another
// process never reads half of one.
#pragma once
#include <filesystem>
#include <string_view>

#include "train/file_descriptor.hpp"

namespace autodidact::train {

class LogFile {
 public:
  LogFile() = default;
  // Opens it to append, and creates it where it is missing; `flags`: O_TRUNC or O_EXCL besides. Throws ResourceError.
  explicit LogFile(std::filesystem::path path, int flags = 0);
  // Throws ResourceError, as when the disk is full; a piece begun is then taken back.
  void append(std::string_view piece) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  FileDescriptor descriptor_;
};
}  // namespace autodidact::train
