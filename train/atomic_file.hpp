// Replaces a file in one step: readers, and a machine that loses power, see the whole old file or the whole new one.
//
// Bytes go to a temporary file in the same directory (a rename must not cross file systems). commit() then does what is
// needed, in this order: fsync of the file, rename over the target, fsync of the directory (without which a crash may
// undo the rename). Whatever fails before the rename (disk full, read-only directory, no permission) removes the
// temporary, leaves the old file as it was and throws ResourceError with the path and the system's text. A process that
// is killed leaves a hidden file whose name begins with partial_prefix(); it is safe to delete.
//
// A target that is a symbolic link stays one: the file it points to is replaced. Devices, pipes and directories are
// refused, as renaming over /dev/null would replace the device.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "train/direct_writer.hpp"

namespace autodidact::train {

class AtomicFile {
 public:
  /// Creates the temporary beside `target`; the directory must exist.
  explicit AtomicFile(const std::filesystem::path& target);
  /// Without commit() nothing has happened: the temporary is removed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends; a full disk may show only at commit(). Nothing may be written after commit() or after an error.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Publishes what was written, durably. Once.
  void commit();

 private:
  /// Removes the temporary, then throws ResourceError naming the target.
  [[noreturn]] void fail(std::string_view action, int error_number);
  void remove_temporary() noexcept;
  void require_open() const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  DirectWriter file_;
};

/// One call for the common case: all of `text` becomes the content of `target`.
void write_file_atomically(const std::filesystem::path& target, std::string_view text);

/// Throws ResourceError where an AtomicFile for `target` could not be made now: no such folder, no permission, not a regular file.
/// For results that are written after long work.
void require_replaceable(const std::filesystem::path& target);

/// How the names of the temporaries of a file called `file_name` begin.
std::string partial_prefix(const std::string& file_name);

}  // namespace autodidact::train
