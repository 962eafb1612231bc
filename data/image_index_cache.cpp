// The bytes of an index and its cache file: image_index.hpp.
#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <cstring>
#include <optional>

#include "data/image_index.hpp"

namespace autodidact::data {

namespace {

constexpr std::string_view kFirstLine = "autodidact images 2\n";

class Packer {
 public:
  template <typename T>
  void number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_{kFirstLine};
};

// Reads what a Packer wrote; what would lie beyond the end is 0, and good() is false from then on.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T number() {
    T value{};
    const std::string_view part = take(sizeof value);
    if (good_) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  bool good() const { return good_; }
  bool at_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t count) {
    good_ = good_ && count <= rest_.size();
    if (!good_) return {};
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }

  std::string_view rest_;
  bool good_ = true;
};

IndexedFile unpack_file(Unpacker& in) {
  IndexedFile file;
  file.path = in.text();
  file.bytes = in.number<std::uint64_t>();
  file.modified = in.number<std::int64_t>();
  for (auto count = in.number<std::uint32_t>(); count > 0 && in.good(); --count) {
    IndexedImage image;
    image.offset = in.number<std::uint64_t>();
    image.bytes = in.number<std::uint64_t>();
    image.label = in.number<std::int32_t>();
    image.height = in.number<std::int32_t>();
    image.width = in.number<std::int32_t>();
    image.key = in.text();
    file.images.push_back(std::move(image));
  }
  for (auto count = in.number<std::uint32_t>(); count > 0 && in.good(); --count)
    file.bad.push_back(in.text());
  return file;
}

}  // namespace

std::string pack_index(const std::string& place, const std::vector<IndexedFile>& files) {
  Packer out;
  out.text(place);
  out.number(static_cast<std::uint64_t>(files.size()));
  for (const IndexedFile& file : files) {
    out.text(file.path);
    out.number(file.bytes);
    out.number(file.modified);
    out.number(static_cast<std::uint32_t>(file.images.size()));
    for (const IndexedImage& image : file.images) {
      out.number(image.offset);
      out.number(image.bytes);
      out.number(image.label);
      out.number(image.height);
      out.number(image.width);
      out.text(image.key);
    }
    out.number(static_cast<std::uint32_t>(file.bad.size()));
    for (const std::string& bad : file.bad) out.text(bad);
  }
  std::string bytes = out.take();
  const XXH64_hash_t seal = XXH64(bytes.data(), bytes.size(), 0);
  bytes.append(reinterpret_cast<const char*>(&seal), sizeof seal);
  return bytes;
}

std::vector<IndexedFile> unpack_index(const std::string& place, const std::string& bytes) {
  XXH64_hash_t seal = 0;
  if (bytes.size() < kFirstLine.size() + sizeof seal || !bytes.starts_with(kFirstLine)) return {};
  const std::string_view body(bytes.data(), bytes.size() - sizeof seal);
  std::memcpy(&seal, bytes.data() + body.size(), sizeof seal);
  if (XXH64(body.data(), body.size(), 0) != seal) return {};
  Unpacker in(body.substr(kFirstLine.size()));
  if (in.text() != place) return {};
  std::vector<IndexedFile> files;
  for (auto count = in.number<std::uint64_t>(); count > 0 && in.good(); --count)
    files.push_back(unpack_file(in));
  if (!in.at_end()) return {};
  return files;
}

std::filesystem::path index_cache(const std::filesystem::path& folder, const std::string& place) {
  if (folder.empty()) return {};
  return folder / fmt::format("images-{:016x}.bin", XXH64(place.data(), place.size(), 0));
}

}  // namespace autodidact::data
