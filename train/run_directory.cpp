#include "train/run_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "train/tensorboard.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {

// What a run writes beside its checkpoints and event files, as the functions of the header name it.
constexpr std::array<std::string_view, 8> kFiles{"metrics.jsonl",    "metrics.csv", "config.toml", "last.safetensors",
                                                 "best.safetensors", "exits.svg",   "result.json", "confusion.json"};

}  // namespace

RunDirectory::RunDirectory(fs::path directory, ExistingRun existing)
    : directory_(std::move(directory)) {
  if (directory_.empty()) throw std::invalid_argument("the output directory has an empty name");
  create();
  lock();
  if (existing == ExistingRun::refuse) require_no_run(directory_);
  require_writable();
}

void RunDirectory::create() const {
  std::error_code error;
  const fs::file_status status = fs::status(directory_, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    throw std::invalid_argument(fmt::format(
        "the output directory {} is a file; choose another --out", directory_.string()));
  }
  fs::create_directories(directory_, error);
  if (error) throw_resource_error("create the directory", directory_, error.value());
}

void RunDirectory::lock() {
  lock_ = FileDescriptor(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_.valid()) throw_resource_error("open the directory", directory_, errno);
  // Other errors come from file systems without locks; a run there is as safe as the user is careful.
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw std::invalid_argument(fmt::format(
        "another process is writing its run to {}; choose another --out", path().string()));
  }
}

void RunDirectory::require_writable() const {
  if (::faccessat(AT_FDCWD, directory_.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    throw_resource_error("write to the directory", directory_, errno);
  }
}

void require_no_run(const fs::path& directory) {
  std::vector<std::string_view> names(kFiles.begin(), kFiles.end());
  names.emplace_back("checkpoints");
  for (const std::string_view name : names) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(directory / name, error))) continue;
    throw std::invalid_argument(fmt::format(
        "{} already holds a run ({}); choose another --out, or --overwrite to replace it, or --resume auto to go on with it",
        directory.string(), name));
  }
}

void RunDirectory::begin() const { remove_files(false); }
void RunDirectory::go_on() const {
  remove_files(true);
  for (const fs::path& file : {result(), confusion()})
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) throw_resource_error("remove", file, errno);
}

void RunDirectory::remove_files(bool left_overs_only) const {
  std::vector<fs::path> doomed;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, error)) {
    const std::string name = entry.path().filename().string();
    for (const std::string_view own : kFiles)
      if ((name == own && !left_overs_only) || name.starts_with(partial_prefix(std::string(own)))) doomed.push_back(entry.path());
    if (is_event_file(name) && !left_overs_only) doomed.push_back(entry.path());
  }
  if (error) throw_resource_error("read the directory", directory_, error.value());
  for (const fs::path& file : doomed) {
    if (::unlink(file.c_str()) != 0) throw_resource_error("remove", file, errno);
  }
}

}  // namespace autodidact::train
