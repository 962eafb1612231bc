// Writes a new file past the page cache of the system: Linux's O_DIRECT, by which the disk takes the bytes from this process's memory.
//
// A checkpoint is written while steps go on and need every core. Through the page cache each of its bytes is copied by the kernel,
// into pages that have to be found first, and then written out by the kernel's own threads; that took 8 % of a step of ResNet-18
// (docs/performance.md), and threw out of the cache the data that the next epoch reads. Where a file system or a disk refuses (older
// tmpfs, some network file systems), and for the end of a file, which fills no block, bytes go through the cache as usual.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "engine/memory.hpp"
#include "train/file_descriptor.hpp"

namespace autodidact::train {

class DirectWriter {
 public:
  DirectWriter() = default;
  /// Takes ownership of `file`, which is open for writing and empty.
  explicit DirectWriter(FileDescriptor file) : file_(std::move(file)) {}

  bool valid() const { return file_.valid(); }
  /// Appends, in pieces of kPiece bytes; false with errno set where a piece could not be written.
  bool write(std::span<const std::byte> bytes);
  /// Writes what is left, makes it durable (fsync) and closes the file; false with errno set.
  bool finish();
  void close() noexcept { file_.close(); }

  static constexpr std::size_t kPiece = 4 << 20;

 private:
  bool write_piece();

  FileDescriptor file_;
  engine::Memory piece_;  // aligned as every disk wants it
  std::size_t filled_ = 0;
};

}  // namespace autodidact::train
