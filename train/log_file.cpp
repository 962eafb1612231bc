#include "train/log_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace autodidact::train {

LogFile::LogFile(std::filesystem::path path, int flags)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666)) {
  if (!descriptor_.valid()) throw_resource_error("open", path_, errno);
}

void LogFile::append(std::string_view piece) const {
  const off_t before = ::lseek(descriptor_.get(), 0, SEEK_END);
  if (write_all(descriptor_, std::as_bytes(std::span(piece)))) return;
  const int error = errno;
  // Half a piece would make the whole log unreadable to strict readers.
  if (before >= 0) static_cast<void>(::ftruncate(descriptor_.get(), before) == 0);
  throw_resource_error("append to", path_, error);
}
}  // namespace autodidact::train
