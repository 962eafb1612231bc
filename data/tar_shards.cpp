#include "data/tar_shards.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "data/error.hpp"
#include "data/file.hpp"
#include "data/image_file.hpp"
#include "data/one_line.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxShards = 100'000;
constexpr std::size_t kMaxLabelBytes = 32;
constexpr std::size_t kReadBlock = std::size_t{1} << 16;

// "a-{08..10}.tar": a-08.tar, a-09.tar, a-10.tar.
std::vector<std::string> expand_range(const std::string& pattern) {
  const std::size_t open = pattern.find('{'), close = pattern.find('}');
  if (open == std::string::npos && close == std::string::npos) return {pattern};
  const auto refuse = [&] {
    throw std::invalid_argument(fmt::format(
        "tar:{}: expected one range like {{000..146}}, of at most {} shards", pattern, kMaxShards));
  };
  if (open == std::string::npos || close == std::string::npos || close < open) refuse();
  const std::string_view range = std::string_view(pattern).substr(open + 1, close - open - 1);
  const std::size_t dots = range.find("..");
  if (dots == std::string_view::npos) refuse();
  const auto number = [&](std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse();
    return value;
  };
  const std::size_t first = number(range.substr(0, dots)), last = number(range.substr(dots + 2));
  if (last < first || last - first >= kMaxShards || dots > 20 ||
      pattern.find_first_of("{}", close + 1) != std::string::npos)
    refuse();
  std::vector<std::string> names;
  for (std::size_t i = first; i <= last; ++i) {
    names.push_back(
        fmt::format("{}{:0{}}{}", pattern.substr(0, open), i, dots, pattern.substr(close + 1)));
  }
  return names;
}

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  const int result = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> names;
  if (result == 0) names.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (result == GLOB_NOSPACE) throw std::bad_alloc();
  return names;
}

struct CloseArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

// Walks through the members of one shard and gathers them to samples.
class Shard {
 public:
  explicit Shard(const std::string& path)
      : path_(path), bytes_(fs::file_size(path)), reader_(archive_read_new()) {
    if (!reader_) throw std::bad_alloc();
    archive_read_support_format_tar(reader_.get());
    archive_read_set_format_option(reader_.get(), "tar", "read_concatenated_archives", "1");
    archive_read_support_format_empty(reader_.get());
  }

  IndexedFile examine() {
    if (archive_read_open_filename(reader_.get(), path_.c_str(), kReadBlock) != ARCHIVE_OK) {
      damage();
      return std::move(file_);
    }
    archive_entry* entry = nullptr;
    int result = ARCHIVE_OK;
    bool in_damage = false;
    while ((result = archive_read_next_header(reader_.get(), &entry)) >= ARCHIVE_WARN) {
      if (result == ARCHIVE_EOF) break;
      const bool is_header = result != ARCHIVE_RETRY;  // else a block that is none
      if (!is_header && !in_damage) damage();
      in_damage = !is_header;
      if (is_header && !member(entry)) break;
    }
    finish_sample();
    if (result != ARCHIVE_EOF && result < ARCHIVE_WARN && !in_damage) damage();
    return std::move(file_);
  }

 private:
  struct Sample {
    std::string key, image_name;
    std::uint64_t offset = 0, bytes = 0;
    std::int32_t label = -1;
    std::string fault;  // why it cannot be used
  };

  // It quotes names that the shard has.
  void note_bad(std::string_view sentence) { file_.bad.push_back(one_line(sentence)); }

  void damage() {
    const char* reason = archive_error_string(reader_.get());
    note_bad(fmt::format("{}: damaged tar, or a compressed one, after {}: {}", path_,
                         last_.empty() ? "its beginning" : last_, reason ? reason : "unknown reason"));
  }

  // False: the shard ends within this member.
  bool member(archive_entry* entry) {
    const char* known = archive_entry_pathname(entry);
    if (!known) known = archive_entry_pathname_utf8(entry);
    const std::string name = known ? known : "";
    const std::size_t slash = name.rfind('/'),
                      dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
    if (archive_entry_filetype(entry) != AE_IFREG || dot == std::string::npos) return true;
    if (const std::string key = name.substr(0, dot); key != sample_.key || last_.empty()) {
      finish_sample();
      sample_.key = key;
    }
    last_ = name;
    const auto offset = static_cast<std::uint64_t>(archive_filter_bytes(reader_.get(), 0));
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0 || offset > bytes_ || static_cast<std::uint64_t>(size) > bytes_ - offset) {
      note_bad(fmt::format("{}: ends within {}", path_, name));
      sample_ = {};
      return false;
    }
    const std::string ending = name.substr(dot + 1);
    const bool plain = archive_entry_sparse_reset(entry) == 0 && !archive_entry_hardlink(entry);
    if (ending == "cls")
      read_label(offset, static_cast<std::uint64_t>(size));
    else if (ending == "jpg" || ending == "jpeg" || ending == "png")
      note_image(name, offset, static_cast<std::uint64_t>(size), plain);
    return true;
  }

  void note_image(const std::string& name, std::uint64_t offset, std::uint64_t size, bool plain) {
    if (!sample_.image_name.empty()) sample_.fault = "has two images";
    if (!plain) sample_.fault = "is a link or has holes";
    if (size > kMaxImageFileBytes)
      sample_.fault =
          fmt::format("has an image of {} bytes, at most {} are read", size, kMaxImageFileBytes);
    sample_.image_name = name;
    sample_.offset = offset;
    sample_.bytes = size;
  }

  void read_label(std::uint64_t offset, std::uint64_t size) {
    if (sample_.label >= 0) sample_.fault = "has two labels";
    const std::vector<std::uint8_t> bytes =
        read_part(path_, offset, std::min<std::uint64_t>(size, kMaxLabelBytes));
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
      text.remove_suffix(1);
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), sample_.label);
    if (error == std::errc() && end == text.data() + text.size() && size <= kMaxLabelBytes &&
        sample_.label >= 0 && sample_.label <= kMaxLabel)
      return;
    sample_.fault = fmt::format("has a label that is no whole number from 0 to {}", kMaxLabel);
    sample_.label = 0;
  }

  void finish_sample() {
    const Sample sample = std::exchange(sample_, {});
    const bool has_image = !sample.image_name.empty(), has_label = sample.label >= 0;
    if (!has_image && !has_label) return;
    std::string fault = sample.fault;
    if (!has_label) fault = "has no .cls";
    if (!has_image) fault = "has no .jpg, .jpeg or .png";
    if (!fault.empty()) {
      note_bad(fmt::format("{}: {} {}", path_, sample.key, fault));
      return;
    }
    const std::vector<std::uint8_t> bytes = read_part(path_, sample.offset, sample.bytes);
    try {
      const ImageShape shape =
          decode_image(bytes, fmt::format("{}: {}", path_, sample.image_name)).shape;
      file_.images.push_back(
          {sample.offset, sample.bytes, sample.label, shape.height, shape.width, sample.key});
    } catch (const DataError& error) {
      note_bad(error.what());
    }
  }

  const std::string& path_;
  std::uint64_t bytes_;
  std::unique_ptr<archive, CloseArchive> reader_;
  Sample sample_;
  std::string last_;  // member seen
  IndexedFile file_;
};

}  // namespace

std::vector<std::string> find_shards(const std::string& pattern) {
  std::vector<std::string> shards;
  for (const std::string& part : expand_range(pattern)) {
    const std::vector<std::string> found = matches(part);
    if (found.empty()) throw DataError(fmt::format("{}: no such shard", part));
    shards.insert(shards.end(), found.begin(), found.end());
  }
  return shards;
}

std::vector<std::string> find_shards(const fs::path& folder, Half half) {
  std::vector<std::string> shards, other;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (entry->path().extension() != ".tar") continue;
    if (name.starts_with(half == Half::train ? "train-" : "test-"))
      shards.push_back(entry->path().string());
    if (half == Half::test && name.starts_with("val-")) other.push_back(entry->path().string());
  }
  if (error)
    throw DataError(fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
  if (shards.empty()) shards = std::move(other);
  std::sort(shards.begin(), shards.end());
  return shards;
}

IndexedFile examine_shard(const std::string& path) { return Shard(path).examine(); }

}  // namespace autodidact::data
