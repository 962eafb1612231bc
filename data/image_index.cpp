#include "data/image_index.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <fstream>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "data/error.hpp"
#include "data/one_line.hpp"
#include "engine/threads.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

// So many bytes are examined between two writes of the cache: what an interruption costs.
constexpr std::uint64_t kBytesBetweenWrites = std::uint64_t{4} << 30;
constexpr std::uintmax_t kMaxCacheBytes = std::uintmax_t{1} << 32;
constexpr std::size_t kNamed = 5;  // damaged images that are named

IndexedFile state_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw DataError(
        fmt::format("{}: cannot be read: {}", path, std::generic_category().message(errno)));
  }
  if (!S_ISREG(status.st_mode)) throw DataError(fmt::format("{}: is not an ordinary file", path));
  IndexedFile file;
  file.path = path;
  file.bytes = static_cast<std::uint64_t>(status.st_size);
  file.modified = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return file;
}

std::vector<IndexedFile> read_cache(const std::string& place, const fs::path& cache) {
  std::error_code error;
  if (cache.empty() || fs::file_size(cache, error) > kMaxCacheBytes || error) return {};
  std::ifstream stream(cache, std::ios::binary);
  return unpack_index(place, {std::istreambuf_iterator<char>(stream), {}});
}

// What cannot be kept is made again: no reason to stop. The seal tells a file that was cut off, so it need not be synced.
void write_cache(const std::string& place, const fs::path& cache,
                 const std::vector<IndexedFile>& files) {
  if (cache.empty()) return;
  std::error_code error;
  fs::create_directories(cache.parent_path(), error);
  const fs::path partial = fmt::format("{}.partial-{}", cache.string(), ::getpid());
  std::ofstream stream(partial, std::ios::binary | std::ios::trunc);
  stream << pack_index(place, files);
  stream.close();
  if (stream) fs::rename(partial, cache, error);
  if (!stream || error) fs::remove(partial, error);
}

// Calls work(i) for i of 0 … count−1 on all cores until `stop`; the first exception, by i, is thrown after all have ended.
void in_parallel(std::size_t count, const std::function<bool()>& stop,
                 const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::size_t failed = count;
  std::exception_ptr failure;
  const auto run = [&] {
    for (std::size_t i = next++; i < count && !stop(); i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed) failure = std::current_exception();
        failed = std::min(failed, i);
      }
    }
  };
  {
    const std::size_t threads = std::min(count, static_cast<std::size_t>(engine::allowed_cores()));
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back(run);
    run();
  }
  if (failure) std::rethrow_exception(failure);
}

void report(const std::string& place, const std::vector<std::string>& bad, std::size_t good,
            const IndexOptions& options) {
  if (bad.empty()) return;
  if (options.on_bad == OnBad::stop) {
    throw DataError(fmt::format("{} ({} damaged so far; --on-bad skip leaves them out)",
                                one_line(bad.front()), bad.size()));
  }
  options.say(fmt::format("{}: {} of {} images are damaged and left out\n", place, bad.size(),
                          bad.size() + good));
  for (std::size_t i = 0; i < std::min(kNamed, bad.size()); ++i)
    options.say(fmt::format("  {}\n", one_line(bad[i])));
  if (bad.size() > kNamed) options.say(fmt::format("  and {} more\n", bad.size() - kNamed));
}

// Makes an index of what is known and what is not.
class Indexer {
 public:
  Indexer(const std::string& place, const Examine& examine, const IndexOptions& options)
      : place_(place), examine_(examine), options_(options) {
    for (IndexedFile& file : read_cache(place, options.cache))
      known_.emplace(file.path, std::move(file));
  }

  std::vector<IndexedFile> index(const std::vector<std::string>& paths) {
    std::size_t as_known = 0;
    for (const std::string& path : paths) {
      if (options_.stop()) break_off();
      files_.push_back(state_of(path));
      IndexedFile& file = files_.back();
      const auto found = known_.find(path);
      if (found != known_.end() && found->second.bytes == file.bytes &&
          found->second.modified == file.modified) {
        file = std::move(found->second);
        ++as_known;
      } else {
        unknown_.push_back(files_.size() - 1);
      }
    }
    is_known_.assign(files_.size(), 1);
    for (const std::size_t i : unknown_) is_known_[i] = 0;
    if (!unknown_.empty()) {
      options_.say(fmt::format("{}: {} files are looked at for the first time or have changed\n",
                               place_, unknown_.size()));
    }
    for (std::size_t done = 0, before = 0; done < unknown_.size() && !is_over(before, done);)
      done = examine_some(before = done);
    if (unknown_.empty() && as_known != known_.size()) write_cache(place_, options_.cache, files_);
    return std::move(files_);
  }

 private:
  // From the unknown file `done` on; how many are known then.
  std::size_t examine_some(std::size_t done) {
    std::size_t end = done;
    for (std::uint64_t bytes = 0; end < unknown_.size() && bytes < kBytesBetweenWrites; ++end)
      bytes += files_[unknown_[end]].bytes;
    in_parallel(end - done, options_.stop, [&](std::size_t i) {
      IndexedFile& file = files_[unknown_[done + i]];
      IndexedFile content = examine_(file.path);
      file.images = std::move(content.images);
      file.bad = std::move(content.bad);
      is_known_[unknown_[done + i]] = 1;
    });
    write_cache(place_, options_.cache, known_files());
    if (options_.stop()) break_off();
    if (end < unknown_.size())
      options_.say(fmt::format("{}: {} of {} files are done\n", place_, end, unknown_.size()));
    return end;
  }

  std::vector<IndexedFile> known_files() const {
    std::vector<IndexedFile> known;
    for (std::size_t i = 0; i < files_.size(); ++i)
      if (is_known_[i]) known.push_back(files_[i]);
    return known;
  }

  [[noreturn]] void break_off() const {
    throw Interrupted(fmt::format("{}: looking at its images was broken off; what was seen is kept", place_));
  }

  bool is_over(std::size_t first, std::size_t last) const {
    return options_.on_bad == OnBad::stop &&
           std::any_of(unknown_.begin() + static_cast<std::ptrdiff_t>(first),
                       unknown_.begin() + static_cast<std::ptrdiff_t>(last),
                       [&](std::size_t i) { return !files_[i].bad.empty(); });
  }

  const std::string& place_;
  const Examine& examine_;
  const IndexOptions& options_;
  std::unordered_map<std::string, IndexedFile> known_;
  std::vector<IndexedFile> files_;
  std::vector<std::size_t> unknown_;  // numbers of those that the cache did not have
  std::vector<char> is_known_;        // of each file: by the cache or by now; one thread writes each
};

}  // namespace

std::size_t ImageIndex::images() const {
  std::size_t count = 0;
  for (const IndexedFile& file : files) count += file.images.size();
  return count;
}

std::vector<std::string> ImageIndex::bad() const {
  std::vector<std::string> all;
  for (const IndexedFile& file : files) all.insert(all.end(), file.bad.begin(), file.bad.end());
  return all;
}

ImageIndex make_index(const std::string& place, const std::vector<std::string>& paths,
                      const Examine& examine, const IndexOptions& options) {
  ImageIndex index{Indexer(place, examine, options).index(paths)};
  report(place, index.bad(), index.images(), options);
  if (index.images() == 0) throw DataError(fmt::format("{}: has no image that can be read", place));
  return index;
}

}  // namespace autodidact::data
