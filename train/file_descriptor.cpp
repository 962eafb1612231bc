#include "train/file_descriptor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "train/errors.hpp"

namespace autodidact::train {

bool FileDescriptor::close() noexcept {
  if (!valid()) return true;
  // Not repeated after EINTR: Linux has released the descriptor by then, and another thread may own its number.
  return ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR;
}

bool write_all(const FileDescriptor& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

void throw_resource_error(std::string_view action, const std::filesystem::path& path,
                          int error_number) {
  throw ResourceError(fmt::format("cannot {} {}: {}", action, path.string(),
                                  std::generic_category().message(error_number)));
}

}  // namespace autodidact::train
