#include "data/image_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>

#include "data/error.hpp"
#include "data/file.hpp"
#include "data/image_file.hpp"
#include "data/one_line.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 3> kEndings = {".png", ".jpg", ".jpeg"};

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

void add_images(const fs::path& folder, std::vector<std::string>& paths) {
  std::error_code error, ignored;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (is_hidden(entry->path()))
      entry.disable_recursion_pending();
    else if (is_image(entry->path()) && entry->is_regular_file(ignored))
      paths.push_back(entry->path().string());
  }
  if (error)
    throw DataError(fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
}

}  // namespace

void require_utf8(const std::string& place, const std::string& class_name) {
  if (is_utf8(class_name)) return;
  throw DataError(
      fmt::format("{}: the name of the class {} is not UTF-8", place, in_quotes(class_name)));
}

std::vector<std::string> list_classes(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> classes;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::error_code ignored;
    if (!is_hidden(entry->path()) && entry->is_directory(ignored))
      classes.push_back(entry->path().filename().string());
  }
  if (error)
    throw DataError(fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
  if (classes.empty())
    throw DataError(
        fmt::format("{}: has no folder in it, expected one for each class", folder.string()));
  for (const std::string& name : classes) require_utf8(folder.string(), name);
  std::sort(classes.begin(), classes.end());
  return classes;
}

FolderImages list_images(const fs::path& folder, const std::vector<std::string>& class_names,
                         bool complete) {
  FolderImages images;
  for (const std::string& name : list_classes(folder)) {
    const auto found = std::find(class_names.begin(), class_names.end(), name);
    if (found == class_names.end()) {
      throw DataError(fmt::format("{}: is none of the {} classes that are trained",
                                  (folder / name).string(), class_names.size()));
    }
    const std::size_t before = images.paths.size();
    add_images(folder / name, images.paths);
    std::sort(images.paths.begin() + static_cast<std::ptrdiff_t>(before), images.paths.end());
    images.labels.resize(images.paths.size(),
                         static_cast<std::int32_t>(found - class_names.begin()));
    if (complete && images.paths.size() == before) {
      throw DataError(
          fmt::format("{}: has no image (.png, .jpg, .jpeg)", (folder / name).string()));
    }
  }
  return images;
}

IndexedFile examine_image_file(const std::string& path) {
  IndexedFile file;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (!error && size > kMaxImageFileBytes) {
    file.bad.push_back(
        fmt::format("{}: has {} bytes, at most {} are read", path, size, kMaxImageFileBytes));
    return file;
  }
  const std::vector<std::uint8_t> bytes = read_plain_file(path, kMaxImageFileBytes);
  try {
    const ImageShape shape = decode_image(bytes, path).shape;
    file.images.push_back({.offset = 0,
                           .bytes = bytes.size(),
                           .label = 0,
                           .height = shape.height,
                           .width = shape.width,
                           .key = {}});
  } catch (const DataError& error_in_image) {
    file.bad.emplace_back(error_in_image.what());
  }
  return file;
}

}  // namespace autodidact::data
