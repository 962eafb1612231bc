#include "data/file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "data/error.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kReadBlock = std::size_t{1} << 18;
constexpr std::array<std::string_view, 3> kSuffixes = {"", ".gz", ".xz"};

struct CloseArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePointer = std::unique_ptr<archive, CloseArchive>;

// Only decompressors inside the library: archive_read_support_filter_all would run an external program for some signatures.
ArchivePointer new_reader() {
  ArchivePointer reader(archive_read_new());
  if (!reader) throw std::bad_alloc();
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_lzma(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_read_support_format_empty(reader.get());
  return reader;
}

[[noreturn]] void fail_reading(const fs::path& path, archive* reader, std::size_t offset) {
  const char* reason = archive_error_string(reader);
  throw DataError(fmt::format("{}: cannot be read beyond byte {} of its content: {}", path.string(),
                              offset, reason ? reason : "unknown reason"));
}

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

void check_ordinary(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw DataError(fmt::format("{}: no such file", path.string()));
  if (!fs::is_regular_file(status)) {
    throw DataError(fmt::format("{}: is not an ordinary file", path.string()));
  }
}

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& path, std::size_t max_bytes) {
  check_ordinary(path);
  const ArchivePointer reader = new_reader();
  std::vector<std::uint8_t> content;
  if (archive_read_open_filename(reader.get(), path.c_str(), kReadBlock) != ARCHIVE_OK) {
    fail_reading(path, reader.get(), 0);
  }
  archive_entry* entry = nullptr;
  const int header = archive_read_next_header(reader.get(), &entry);
  if (header == ARCHIVE_EOF) return content;  // an empty file
  if (header < ARCHIVE_WARN) fail_reading(path, reader.get(), 0);
  constexpr int kOneFilter = 2;  // and the file itself
  if (archive_filter_count(reader.get()) > kOneFilter) {
    throw DataError(fmt::format("{}: is compressed more than once", path.string()));
  }

  std::error_code error;
  const std::size_t file_bytes = fs::file_size(path, error);
  content.reserve(std::min(file_bytes, max_bytes));
  while (true) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(reader.get(), &block, &size, &offset);
    if (result == ARCHIVE_EOF) break;
    if (result < ARCHIVE_WARN) fail_reading(path, reader.get(), content.size());
    if (size > max_bytes - content.size()) {
      throw DataError(
          fmt::format("{}: holds more than the {} bytes allowed for it", path.string(), max_bytes));
    }
    if (size > content.capacity() - content.size()) {  // by itself it would grow beyond the limit
      content.reserve(std::max(content.size() + size, std::min(2 * content.capacity(), max_bytes)));
    }
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    content.insert(content.end(), bytes, bytes + size);
  }
  // Decompressors stop where their stream ends, and say nothing about what follows.
  const auto used = static_cast<std::size_t>(archive_filter_bytes(reader.get(), -1));
  if (!error && used < file_bytes) {
    throw DataError(fmt::format("{}: {} trailing bytes after its compressed content", path.string(),
                                file_bytes - used));
  }
  return content;
}

std::vector<std::uint8_t> read_plain_file(const fs::path& path, std::size_t max_bytes) {
  check_ordinary(path);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (!error && size > max_bytes) {
    throw DataError(
        fmt::format("{}: has {} bytes, at most {} are read", path.string(), size, max_bytes));
  }
  return read_part(path, 0, error ? 0 : static_cast<std::size_t>(size));
}

std::vector<std::uint8_t> read_part(const fs::path& path, std::uint64_t offset, std::size_t bytes) {
  const auto fail = [&](const std::string& why) {
    throw DataError(fmt::format("{}: cannot be read: {}", path.string(), why));
  };
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) fail(std::generic_category().message(errno));
  std::vector<std::uint8_t> content(bytes);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t count = ::pread(file.number, content.data() + done, bytes - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(std::generic_category().message(errno));
    if (count == 0) fail(fmt::format("it ends before byte {}", offset + bytes));
    done += static_cast<std::size_t>(count);
  }
  return content;
}

void read_ahead(const fs::path& path, std::uint64_t offset, std::uint64_t bytes) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) return;
  constexpr std::uint64_t kPiece = 128 << 10;  // of a larger request Linux may fetch the beginning only
  for (std::uint64_t done = 0; done < bytes; done += kPiece) {
    const std::uint64_t piece = std::min(kPiece, bytes - done);
    (void)::posix_fadvise(file.number, static_cast<off_t>(offset + done), static_cast<off_t>(piece),
                          POSIX_FADV_WILLNEED);
  }
}

fs::path find_file(const fs::path& folder, std::span<const std::string> names) {
  for (const std::string& name : names) {
    for (std::string_view suffix : kSuffixes) {
      fs::path path = folder / fmt::format("{}{}", name, suffix);
      std::error_code error;
      if (fs::is_regular_file(path, error)) return path;
    }
  }
  return {};
}

fs::path require_file(const fs::path& folder, std::span<const std::string> names) {
  if (fs::path found = find_file(folder, names); !found.empty()) return found;
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw DataError(fmt::format("{}: no such folder (looked for {} in it)", folder.string(),
                                fmt::join(names, " or ")));
  }
  throw DataError(fmt::format("{}: has no file {} (nor with .gz or .xz)", folder.string(),
                              fmt::join(names, " or ")));
}

std::vector<std::string> read_names(const fs::path& path, std::size_t expected) {
  constexpr std::size_t kMaxNamesBytes = 1 << 20;
  const std::vector<std::uint8_t> content = read_file(path, kMaxNamesBytes);
  std::vector<std::string> names;
  std::string line;
  const auto finish = [&] {
    constexpr std::string_view kSpace = " \t\r";
    const std::size_t first = line.find_first_not_of(kSpace);
    if (first != std::string::npos) {
      names.push_back(line.substr(first, line.find_last_not_of(kSpace) - first + 1));
    }
    line.clear();
  };
  for (std::uint8_t byte : content) {
    if (byte == '\n') {
      finish();
    } else {
      line.push_back(static_cast<char>(byte));
    }
  }
  finish();
  if (expected > 0 && names.size() != expected) {
    throw DataError(
        fmt::format("{}: has {} class names, expected {}", path.string(), names.size(), expected));
  }
  return names;
}

}  // namespace autodidact::data
