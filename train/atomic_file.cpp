#include "train/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include "train/errors.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {

/// Enough for every other process and host that could write to the same directory under the same process number.
constexpr int kNameAttempts = 100;
/// As many as the system itself follows.
constexpr int kMostLinks = 40;

fs::path resolve_target(const fs::path& target) {
  std::error_code error;
  const fs::file_status status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw ResourceError(
        fmt::format("cannot write {}: it exists and is not a regular file", target.string()));
  }
  fs::path resolved = target;
  for (int link = 0; fs::is_symlink(fs::symlink_status(resolved, error)); ++link) {  // also where the last of them leads to nothing yet
    const fs::path next = fs::read_symlink(resolved, error);
    if (error || link == kMostLinks) throw_resource_error("follow the link", target, error ? error.value() : ELOOP);
    resolved = resolved.parent_path() / next;  // next alone, where it is absolute
  }
  return resolved;
}

fs::path directory_of(const fs::path& target) {
  return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

/// Makes a rename durable. File systems that cannot sync a directory say EINVAL; there is nothing more to do there.
int sync_directory(const fs::path& directory) {
  const FileDescriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.valid()) return errno;
  return ::fsync(handle.get()) == 0 || errno == EINVAL ? 0 : errno;
}

}  // namespace

std::string partial_prefix(const std::string& file_name) { return "." + file_name + ".partial-"; }

AtomicFile::AtomicFile(const fs::path& target) : target_(resolve_target(target)) {
  static std::atomic<unsigned> counter{0};
  const std::string prefix = partial_prefix(target_.filename().string());
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    temporary_ = directory_of(target_) / fmt::format("{}{}-{}", prefix, ::getpid(), counter++);
    // 0666: the user's umask decides, as for any file a program makes.
    file_ = DirectWriter(FileDescriptor(
        ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666)));
    if (file_.valid()) return;
    if (errno != EEXIST) break;
  }
  throw_resource_error("write", target_, errno);
}

AtomicFile::~AtomicFile() { remove_temporary(); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  require_open();
  if (!file_.write(bytes)) fail("write", errno);
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  require_open();
  if (!file_.finish()) fail("write", errno);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail("replace", errno);
  temporary_.clear();
  if (const int error = sync_directory(directory_of(target_)); error != 0) {
    throw_resource_error("sync the directory of", target_, error);
  }
}

void AtomicFile::require_open() const {
  if (!file_.valid()) {
    throw std::logic_error(fmt::format("{} was already committed or has failed", target_.string()));
  }
}

void AtomicFile::fail(std::string_view action, int error_number) {
  remove_temporary();
  throw_resource_error(action, target_, error_number);
}

void AtomicFile::remove_temporary() noexcept {
  file_.close();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void write_file_atomically(const fs::path& target, std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

void require_replaceable(const fs::path& target) { const AtomicFile attempt(target); }

}  // namespace autodidact::train
