// A POSIX file descriptor that closes itself. Streams of the standard library can neither fsync nor say why they failed;
// files that must survive a full disk or a crash are therefore written through this.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

namespace autodidact::train {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  /// Takes ownership of `fd`; a negative one means "none".
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  /// True unless the kernel reports a late write error (network file systems do so here); errno then says which.
  bool close() noexcept;

 private:
  int fd_ = -1;
};

/// Writes all of `bytes`, or returns false with errno set. Part of them may then have been written.
bool write_all(const FileDescriptor& file, std::span<const std::byte> bytes);

/// Throws ResourceError "cannot <action> <path>: <text of the error number>".
[[noreturn]] void throw_resource_error(std::string_view action, const std::filesystem::path& path,
                                       int error_number);

}  // namespace autodidact::train
