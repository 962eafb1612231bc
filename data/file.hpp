// data/file.hpp: the bytes of a data file, compressed or not, and the search for it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autodidact::data {

// No data file grows beyond this when decompressed (EMNIST, the largest of its kind, has 0.6 GB); a small file that claims to
// is taken for a decompression bomb.
inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;

// Reads the whole file, decompressed on the way if its first bytes say gzip, xz, lzma, bzip2 or zstd, whatever its name.
// At most max_bytes are ever held. DataError where the file is missing, is no ordinary file, cannot be read, is truncated or
// damaged as the decompressor sees it (libarchive does not compare gzip's checksum; xz's it does), is followed by other bytes, is
// compressed twice, or has more than max_bytes.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path,
                                    std::size_t max_bytes = kMaxFileBytes);

// The bytes as they lie there, never decompressed. DataError where the file is missing, is no
// ordinary file, cannot be read, or has more than max_bytes.
std::vector<std::uint8_t> read_plain_file(const std::filesystem::path& path, std::size_t max_bytes);
// A part of it; also DataError where the file ends before.
std::vector<std::uint8_t> read_part(const std::filesystem::path& path, std::uint64_t offset,
                                    std::size_t bytes);

// Asks the system to fetch a part of it meanwhile, one request after the other where files are read from front to end. A wish: nothing
// tells whether it was granted.
void read_ahead(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t bytes);

// The first of the names, each tried as it is and with .gz and .xz, that is a file in the folder; empty path if none is.
std::filesystem::path find_file(const std::filesystem::path& folder,
                                std::span<const std::string> names);

// The same, but DataError naming all that was looked for.
std::filesystem::path require_file(const std::filesystem::path& folder,
                                   std::span<const std::string> names);

// One name a line, spaces at the ends and empty lines dropped. Where `expected` > 0, DataError unless there are so many.
std::vector<std::string> read_names(const std::filesystem::path& path, std::size_t expected);

}  // namespace autodidact::data
