#include "train/direct_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace autodidact::train {
namespace {

/// False where the file system does not know O_DIRECT.
bool set_direct(const FileDescriptor& file, bool on) {
  const int flags = ::fcntl(file.get(), F_GETFL);
  return flags >= 0 && ::fcntl(file.get(), F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

}  // namespace

bool DirectWriter::write(std::span<const std::byte> bytes) {
  if (!piece_) piece_ = engine::allocate(kPiece);
  while (!bytes.empty()) {
    const std::size_t taken = std::min(bytes.size(), kPiece - filled_);
    std::memcpy(piece_.get() + filled_, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    filled_ += taken;
    if (filled_ == kPiece && !write_piece()) return false;
  }
  return true;
}

bool DirectWriter::write_piece() {
  const std::span piece(piece_.get(), std::exchange(filled_, 0));
  const ssize_t direct = set_direct(file_, true) ? ::write(file_.get(), piece.data(), piece.size()) : 0;
  set_direct(file_, false);
  // Whatever has kept the disk from taking all of it: the usual way either works or says why.
  return write_all(file_, piece.subspan(direct < 0 ? 0 : static_cast<std::size_t>(direct)));
}

bool DirectWriter::finish() {
  return write_all(file_, {piece_.get(), std::exchange(filled_, 0)}) && ::fsync(file_.get()) == 0 && file_.close();
}

}  // namespace autodidact::train
