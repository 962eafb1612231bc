#include "data/file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "data/error.hpp"
#include "tests/data/scratch_folder.hpp"

using namespace autodidact::data;

namespace {

using Filter = int (*)(archive*);

// Writes the bytes through one of libarchive's compressors.
std::string write_compressed(const std::string& path, Filter filter,
                             const std::vector<std::uint8_t>& bytes) {
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  REQUIRE(filter(writer) == ARCHIVE_OK);
  REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
  REQUIRE(archive_write_data(writer, bytes.data(), bytes.size()) ==
          static_cast<la_ssize_t>(bytes.size()));
  archive_entry_free(entry);
  REQUIRE(archive_write_free(writer) == ARCHIVE_OK);
  return path;
}

std::vector<std::uint8_t> pattern(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * i >> 3);
  return bytes;
}

// A file and which of its pages are in the system's cache.
class CachedFile {
 public:
  CachedFile(const std::string& path, std::size_t bytes)
      : file_(::open(path.c_str(), O_RDONLY)), bytes_(bytes) {
    REQUIRE(file_ >= 0);
    memory_ = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file_, 0);
    REQUIRE(memory_ != MAP_FAILED);
  }
  ~CachedFile() {
    ::munmap(memory_, bytes_);
    ::close(file_);
  }
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;

  void drop() {
    REQUIRE(::fsync(file_) == 0);
    REQUIRE(::posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED) == 0);
  }
  // Of the bytes from `begin` to `end`.
  double part_cached(std::size_t begin, std::size_t end) const {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages((bytes_ + page - 1) / page);
    REQUIRE(::mincore(memory_, bytes_, pages.data()) == 0);
    const auto from = pages.begin() + static_cast<std::ptrdiff_t>(begin / page),
               to = pages.begin() + static_cast<std::ptrdiff_t>(end / page);
    return static_cast<double>(std::count_if(from, to, [](unsigned char p) { return (p & 1) != 0; })) /
           static_cast<double>(to - from);
  }

 private:
  int file_;
  std::size_t bytes_;
  void* memory_ = nullptr;
};

}  // namespace

TEST_CASE("a part that is read ahead comes into the system's cache without being read") {
  constexpr std::size_t kMega = std::size_t{1} << 20, kBytes = 24 * kMega;
  const ScratchFolder folder;
  const std::string path = folder.write("shard.tar", pattern(kBytes));
  CachedFile cached(path, kBytes);
  cached.drop();
  if (cached.part_cached(0, kBytes) > 0) return;  // a file system in memory, which has no cache
  read_ahead(path, 4 * kMega, 12 * kMega);
  for (int tries = 0; tries < 1000 && cached.part_cached(4 * kMega, 16 * kMega) < 1; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(cached.part_cached(4 * kMega, 16 * kMega) == 1);
  CHECK(cached.part_cached(20 * kMega, kBytes) < 1);  // no more than was asked for, and what the system adds
  read_ahead(folder / "nothing", 0, 10);
}

TEST_CASE("a file reads the same plain and compressed, whatever its name") {
  const ScratchFolder folder;
  const auto bytes = pattern(700001);
  CHECK(read_file(folder.write("plain.gz", bytes)) == bytes);
  CHECK(read_file(write_compressed(folder / "a", archive_write_add_filter_gzip, bytes)) == bytes);
  CHECK(read_file(write_compressed(folder / "b", archive_write_add_filter_xz, bytes)) == bytes);
  CHECK(read_file(write_compressed(folder / "c", archive_write_add_filter_bzip2, bytes)) == bytes);
  CHECK(read_file(write_compressed(folder / "d", archive_write_add_filter_zstd, bytes)) == bytes);
  CHECK(read_file(folder.write("empty", "")).empty());
  CHECK(read_file(folder.write("one", "x")) == std::vector<std::uint8_t>{'x'});
}

TEST_CASE("a file may be exactly as large as allowed, and a decompression bomb is refused") {
  const ScratchFolder folder;
  const std::string exact = folder.write("exact", pattern(1000));
  CHECK(read_file(exact, 1000).size() == 1000);
  CHECK_THROWS_WITH_AS(read_file(exact, 999),
                       (exact + ": holds more than the 999 bytes allowed for it").c_str(),
                       DataError);
  const std::string bomb = write_compressed(folder / "bomb.gz", archive_write_add_filter_gzip,
                                            std::vector<std::uint8_t>(20 << 20));
  REQUIRE(std::filesystem::file_size(bomb) < 100000);
  CHECK_THROWS_WITH_AS(read_file(bomb, 1 << 20),
                       (bomb + ": holds more than the 1048576 bytes allowed for it").c_str(),
                       DataError);
}

TEST_CASE("a truncated compressed file is an error and not a shorter file") {
  const ScratchFolder folder;
  for (Filter filter : {archive_write_add_filter_gzip, archive_write_add_filter_xz}) {
    const std::string path = write_compressed(folder / "whole", filter, pattern(300000));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    std::string message;
    try {
      read_file(path);
    } catch (const DataError& error) {
      message = error.what();
    }
    CHECK(message.starts_with(path + ": cannot be read beyond byte "));
  }
}

TEST_CASE("bytes after a compressed stream, and a stream in a stream, are refused") {
  const ScratchFolder folder;
  for (Filter filter : {archive_write_add_filter_gzip, archive_write_add_filter_bzip2}) {
    const std::string path = write_compressed(folder / "once", filter, pattern(1000));
    std::ifstream packed(path, std::ios::binary);
    const std::string twice = write_compressed(folder / "twice", filter, {std::istreambuf_iterator<char>(packed), {}});
    CHECK_THROWS_WITH_AS(read_file(twice), (twice + ": is compressed more than once").c_str(), DataError);
    std::ofstream(path, std::ios::binary | std::ios::app) << "garbage";
    CHECK_THROWS_WITH_AS(read_file(path), (path + ": 7 trailing bytes after its compressed content").c_str(), DataError);
  }
}

TEST_CASE("a missing file and a folder in its place are named") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH_AS(read_file(folder / "none"), (folder / "none: no such file").c_str(),
                       DataError);
  CHECK_THROWS_WITH_AS(read_file(folder.path()),
                       (folder.path().string() + ": is not an ordinary file").c_str(), DataError);
}

TEST_CASE("files are found by several names and with the usual suffixes") {
  const ScratchFolder folder;
  const std::array<std::string, 2> names = {"first", "second"};
  CHECK(find_file(folder.path(), names).empty());
  CHECK_THROWS_WITH_AS(
      require_file(folder.path(), names),
      (folder.path().string() + ": has no file first or second (nor with .gz or .xz)").c_str(),
      DataError);
  CHECK_THROWS_WITH_AS(require_file(folder / "gone", names),
                       (folder / "gone: no such folder (looked for first or second in it)").c_str(),
                       DataError);
  folder.write("second.xz", "");
  CHECK(find_file(folder.path(), names) == folder.path() / "second.xz");
  folder.write("first.gz", "");
  CHECK(find_file(folder.path(), names) == folder.path() / "first.gz");
  folder.write("first", "");
  CHECK(require_file(folder.path(), names) == folder.path() / "first");
}

TEST_CASE("names are read one a line without blanks at the ends and empty lines") {
  const ScratchFolder folder;
  const std::string path = folder.write("names", " apple\r\n\naquarium fish \n\n baby");
  CHECK(read_names(path, 3) == std::vector<std::string>{"apple", "aquarium fish", "baby"});
  CHECK(read_names(path, 0).size() == 3);
  CHECK_THROWS_WITH_AS(read_names(path, 4), (path + ": has 3 class names, expected 4").c_str(),
                       DataError);
}
