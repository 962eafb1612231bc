// data/image_index.hpp: which images there are in files on disk, how large they are, and which are damaged.
//
// Every image is decoded once, on all cores, before anything is trained on: so what is damaged is known at the start and not hours
// later, and what is left is a set of good images whose numbers never change. That is one pass of decoding, little against the
// epochs to come, and its result is kept in a cache file: later only files whose size or time of change differ are looked at.
//
// Cache     autodidact/images-HASH.bin below the user's cache folder, HASH of the place indexed. Binary, sealed by the XXH64 of all
//           before it; a file that is damaged, or of another place, is not used and replaced. It may be deleted at any time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace autodidact::data {

struct IndexedImage {
  std::uint64_t offset = 0, bytes = 0;  // where its PNG or JPEG lies in the file
  std::int32_t label = 0;
  std::int32_t height = 0, width = 0;  // pixels
  std::string key;                     // its name within a shard; empty where the file is the image
  bool operator==(const IndexedImage&) const = default;
};

// A file and what it holds: an image file one image, a shard many.
struct IndexedFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970
  std::vector<IndexedImage> images;
  std::vector<std::string> bad;  // a sentence for each image that is damaged
  bool operator==(const IndexedFile&) const = default;
};

struct ImageIndex {
  std::vector<IndexedFile> files;

  std::size_t images() const;
  std::vector<std::string> bad() const;
};

enum class OnBad { stop, skip };

using Say = std::function<void(const std::string& line)>;  // each ends with a line feed

struct IndexOptions {
  OnBad on_bad = OnBad::stop;
  std::filesystem::path cache = {};  // file; empty: nothing is kept
  Say say = [](const std::string&) {};
  std::function<bool()> stop = [] { return false; };  // asked before each file, by several threads
};

// What a reader finds in a file, beside its path, size and time. DataError where it cannot be read at all; damage goes to `bad`.
using Examine = std::function<IndexedFile(const std::string& path)>;

// The files in the order given. `place` is what messages call them. OnBad::stop: DataError with the first damage in that order; skip:
// says how much there is, and the first few. DataError too where a file is missing or cannot be read, or no good image is left.
// Interrupted where `stop` says so; what was examined until then is in the cache.
ImageIndex make_index(const std::string& place, const std::vector<std::string>& paths,
                      const Examine& examine, const IndexOptions& options);

// The cache file for a place, in the folder.
std::filesystem::path index_cache(const std::filesystem::path& folder, const std::string& place);

// As the cache file has them. Empty where the bytes are not a whole index of this place.
std::string pack_index(const std::string& place, const std::vector<IndexedFile>& files);
std::vector<IndexedFile> unpack_index(const std::string& place, const std::string& bytes);

}  // namespace autodidact::data
