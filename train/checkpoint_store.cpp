#include "train/checkpoint_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "train/errors.hpp"
#include "train/file_descriptor.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-", kSuffix = ".safetensors";

// −1 if it is not the name of a checkpoint.
std::int64_t step_of(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() <= kPrefix.size() + kSuffix.size()) return -1;
  const std::string digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  constexpr std::size_t kMostDigits = 18;  // of what fits
  if (digits.size() > kMostDigits || !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return -1;
  return std::stoll(digits);
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_resource_error("remove", path, errno);
}
}  // namespace

CheckpointStore::CheckpointStore(fs::path folder, int keep) : folder_(std::move(folder)), keep_(keep) {
  if (keep < 1) throw std::invalid_argument(fmt::format("at least 1 checkpoint must be kept, got {}", keep));
}

fs::path CheckpointStore::path_of(std::int64_t step) const { return folder_ / fmt::format("{}{:012}{}", kPrefix, step, kSuffix); }

// All that lies in the folder; nothing where there is none yet. A folder that cannot be read now (a disk that is not mounted) is not an
// empty one: who took it for that would start a run anew over one that is there.
std::vector<fs::path> CheckpointStore::files() const {
  std::vector<fs::path> found;
  std::error_code error;
  if (fs::symlink_status(folder_, error).type() == fs::file_type::not_found) return found;
  fs::directory_iterator entry(folder_, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) found.push_back(entry->path());
  if (error) throw_resource_error("read the directory", folder_, error.value());
  return found;
}

std::vector<CheckpointStore::Entry> CheckpointStore::entries() const {
  std::vector<Entry> found;
  for (const fs::path& path : files())
    if (const std::int64_t step = step_of(path.filename().string()); step >= 0) found.push_back({step, path});
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) { return a.step < b.step; });
  return found;
}

int CheckpointStore::begin(std::int64_t step, std::int64_t best_step) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw_resource_error("create the directory", folder_, error.value());
  if (::faccessat(AT_FDCWD, folder_.c_str(), W_OK | X_OK, AT_EACCESS) != 0) throw_resource_error("write to the directory", folder_, errno);
  for (const fs::path& path : files())
    if (path.filename().string().starts_with(fmt::format(".{}", kPrefix))) remove_file(path);
  int removed = 0;
  for (const Entry& entry : entries()) {
    if (entry.step <= step) continue;
    remove_file(entry.path);
    ++removed;
  }
  remove_old(best_step);
  return removed;
}

void CheckpointStore::save(RunState state, const engine::ParameterStore& store, const engine::ParameterStore* average) {
  wait();
  snapshot_.take(std::move(state), store, average);
  writing_ = std::async(std::launch::async, [this] { write(); });
}

bool CheckpointStore::busy() const {
  return writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

void CheckpointStore::wait() {
  if (writing_.valid()) writing_.get();
}

void CheckpointStore::write() const {
  pthread_setname_np(pthread_self(), "checkpoint");
  snapshot_.write(path_of(snapshot_.state().steps));
  remove_old(snapshot_.state().step_of_best());
}

void CheckpointStore::remove_old(std::int64_t best_step) const {
  const std::vector<Entry> all = entries();
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep_) < all.size(); ++i)
    if (all[i].step != best_step) remove_file(all[i].path);
}
}  // namespace autodidact::train
