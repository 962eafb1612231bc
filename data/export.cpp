#include "data/export.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/png.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kShardSamples = 1000;

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("cannot write {}", path.string()));
}

std::string png_of(const Dataset& half, std::size_t i) {
  Image image{half.shape(), std::vector<std::uint8_t>(half.shape().bytes())};
  half.copy_image(i, image.pixels);
  return encode_png(image);
}

// One call for all files instead of one each.
void sync_disk_of(const fs::path& folder) {
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = handle >= 0 && ::syncfs(handle) == 0;
  if (handle >= 0) ::close(handle);
  if (!synced) throw std::runtime_error(fmt::format("cannot write {} to its disk", folder.string()));
}

std::string folder_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '-');
  return name.starts_with('.') ? "_" + name : name;
}

// `limit` images in order: the first of each class, and of the others the first.
std::vector<std::size_t> chosen(const Dataset& half, std::size_t limit) {
  const std::size_t classes = half.class_names().size();
  if (limit < std::min(classes, half.size()))
    throw std::invalid_argument(
        fmt::format("{} images cannot hold one of each of {} classes", limit, classes));
  std::vector<bool> seen(classes);
  std::vector<std::size_t> firsts, others;
  for (std::size_t i = 0; i < half.size(); ++i) {
    const auto label = static_cast<std::size_t>(half.label(i));
    (seen[label] ? others : firsts).push_back(i);
    seen[label] = true;
  }
  std::vector<std::size_t> all = std::move(firsts);
  all.insert(all.end(), others.begin(), others.end());
  all.resize(std::min(limit, all.size()));
  std::sort(all.begin(), all.end());
  return all;
}

// A class without an image gets no folder.
void write_folder(const Dataset& half, const fs::path& folder, const std::vector<std::size_t>& images) {
  std::set<std::string> names;
  for (const std::string& name : half.class_names())
    if (!names.insert(folder_name(name)).second)
      throw std::invalid_argument(fmt::format("two classes are called {}", name));
  for (const std::size_t i : images) {
    const fs::path of_class =
        folder / folder_name(half.class_names()[static_cast<std::size_t>(half.label(i))]);
    fs::create_directories(of_class);
    write(of_class / fmt::format("{:06}.png", i), png_of(half, i));
  }
}

struct CloseArchive {
  void operator()(archive* a) const { archive_write_free(a); }
};

class Shard {
 public:
  explicit Shard(const fs::path& path) : path_(path.string()), writer_(archive_write_new()) {
    if (!writer_) throw std::bad_alloc();
    archive_write_set_format_ustar(writer_.get());
    check(archive_write_open_filename(writer_.get(), path_.c_str()));
  }
  void add(const std::string& name, const std::string& bytes) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    check(archive_write_header(writer_.get(), entry.get()));
    if (archive_write_data(writer_.get(), bytes.data(), bytes.size()) !=
        static_cast<la_ssize_t>(bytes.size()))
      check(ARCHIVE_FATAL);
  }
  void close() { check(archive_write_close(writer_.get())); }

 private:
  void check(int result) const {
    if (result < ARCHIVE_WARN)
      throw std::runtime_error(
          fmt::format("cannot write {}: {}", path_, archive_error_string(writer_.get())));
  }
  std::string path_;
  std::unique_ptr<archive, CloseArchive> writer_;
};

void write_shards(const Dataset& half, const std::string& prefix, const std::vector<std::size_t>& images) {
  for (std::size_t first = 0; first < images.size(); first += kShardSamples) {
    Shard shard(fmt::format("{}-{:06}.tar", prefix, first / kShardSamples));
    for (std::size_t n = first; n < std::min(first + kShardSamples, images.size()); ++n) {
      const std::size_t i = images[n];
      shard.add(fmt::format("{:06}.png", i), png_of(half, i));
      shard.add(fmt::format("{:06}.cls", i), std::to_string(half.label(i)));
    }
    shard.close();
  }
}

void write_all(const Source& source, ExportFormat format, const fs::path& folder,
               std::size_t limit) {
  for (const auto& [name, half] : {std::pair{"train", source.train}, {"test", source.test}}) {
    if (!half) continue;
    const std::vector<std::size_t> images = chosen(*half, limit);
    if (format == ExportFormat::folder)
      write_folder(*half, folder / name, images);
    else
      write_shards(*half, (folder / name).string(), images);
  }
  if (format == ExportFormat::folder) return;
  std::string names;
  for (const std::string& name : source.class_names) names += name + "\n";
  write(folder / "classes.txt", names);
}

}  // namespace

void export_images(const Source& source, ExportFormat format, const fs::path& folder,
                   std::size_t limit) {
  if (source.channels != 1 && source.channels != 3) {
    throw std::invalid_argument(
        fmt::format("images of {} channels cannot be exported, only of 1 or 3", source.channels));
  }
  std::error_code error;
  if (fs::exists(folder, error))
    throw std::invalid_argument(fmt::format("{} is there already", folder.string()));
  fs::path target = folder.lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "DIR/"
  const fs::path partial = fmt::format("{}.partial-{}", target.string(), ::getpid());
  if (!fs::create_directory(partial, error)) {
    throw std::runtime_error(
        fmt::format("cannot make the folder {}: {}", partial.string(), error.message()));
  }
  try {
    write_all(source, format, partial, limit);
    sync_disk_of(partial);
    fs::rename(partial, target);
    sync_disk_of(target);
  } catch (...) {
    fs::remove_all(partial, error);
    throw;
  }
}

}  // namespace autodidact::data
