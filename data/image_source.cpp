#include "data/image_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "data/error.hpp"
#include "data/file.hpp"
#include "data/image_folder.hpp"
#include "data/stored_images.hpp"
#include "data/tar_shards.hpp"

namespace autodidact::data {
namespace fs = std::filesystem;

namespace {

constexpr int kMaxSize = 4096;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// So that the index knows a file again wherever the program is started.
std::string full_path(const std::string& path) {
  const fs::path full = fs::absolute(path).lexically_normal();
  return (full.has_filename() ? full : full.parent_path()).string();  // "DIR/"
}

void check(const SourceOptions& options) {
  const auto range = [](const char* name, int value, int low) {
    if (value >= low && value <= kMaxSize) return;
    throw std::invalid_argument(
        fmt::format("--{} must be {} to {} pixels, got {}", name, low, kMaxSize, value));
  };
  if (options.size) range("size", *options.size, 1);
  if (options.resize && !options.size && !options.size_if_mixed)
    throw std::invalid_argument("--resize needs --size");
  if (options.resize)
    range("resize", *options.resize, options.size.value_or(options.size_if_mixed.value_or(1)));
}

std::string sizes_text(const std::vector<const ImageIndex*>& halves) {
  int least = 1 << 30, most = 0;
  for (const ImageIndex* index : halves) {
    for (const IndexedFile& file : index->files) {
      for (const IndexedImage& image : file.images) {
        least = std::min({least, image.height, image.width});
        most = std::max({most, image.height, image.width});
      }
    }
  }
  return fmt::format("sides of {} to {} pixels", least, most);
}

// `known`: of the training half or the network, where there are any; labels are numbers, so the order must be the same.
std::vector<std::string> names_of(const std::string& shard, const ImageIndex& index,
                                  std::vector<std::string> known) {
  const std::vector<std::string> wanted{"classes.txt"};
  const fs::path folder = fs::path(shard).parent_path();
  if (const fs::path file = find_file(folder.empty() ? "." : folder, wanted); !file.empty()) {
    std::vector<std::string> names = read_names(file, 0);
    for (const std::string& name : names) require_utf8(file.string(), name);
    if (known.empty() || names == known) return names;
    throw DataError(fmt::format("{}: its classes are not those that are trained, in their order",
                                file.string()));
  }
  if (!known.empty()) return known;
  std::int32_t highest = 0;
  for (const IndexedFile& file : index.files) {
    for (const IndexedImage& image : file.images) highest = std::max(highest, image.label);
  }
  return numbered_classes(highest + 1);
}

}  // namespace

ImageSource::ImageSource(Format format, std::string location, Parts parts,
                         const SourceOptions& options)
    : format_(format), location_(std::move(location)), options_(options) {
  check(options);
  const bool folder = is_folder(location_);
  if (folder) location_ = full_path(location_);
  if (format == Format::folder) {
    if (!folder) throw DataError(fmt::format("{}: no such folder", location_));
    const bool train = folder_of(Half::train).has_value(), test = folder_of(Half::test).has_value();
    one_half_ = !test || !train;
    if (train != test && train != (parts != Parts::test_only)) {
      throw DataError(
          fmt::format("{}: has no folder {}", location_, train ? "test or val" : "train"));
    }
  } else {
    one_half_ = !folder || find_shards(location_, Half::test).empty();
  }
  if (one_half_ && parts == Parts::train_and_test) {
    options_.say(fmt::format("{}: has no test half, so nothing is tested at the end\n", location_));
  }
  if (parts != Parts::test_only) train_ = look(Half::train, options_.class_names);
  if (parts == Parts::test_only || (parts == Parts::train_and_test && !one_half_))
    test_ = look(Half::test, train_.index ? train_.class_names : options_.class_names);
  framing_ = framing();
}

Normalisation ImageSource::normalisation() const {
  return imagenet_normalisation(options_.grey ? 1 : 3);
}

// The folder of a half where there are halves.
std::optional<std::string> ImageSource::folder_of(Half half) const {
  for (const char* name : {half == Half::train ? "train" : "test", "val"}) {
    if (const fs::path folder = fs::path(location_) / name; is_folder(folder))
      return folder.string();
    if (half == Half::train) break;
  }
  return {};
}

IndexOptions ImageSource::index_options(const std::string& place) const {
  return {options_.on_bad, index_cache(options_.cache_folder, place), options_.say,
          options_.stop};
}

std::optional<Framing> ImageSource::framing() const {
  std::vector<const ImageIndex*> halves;
  for (const Images* images : {&train_, &test_})
    if (images->index) halves.push_back(images->index.get());
  const bool mixed = std::any_of(halves.begin(), halves.end(), [](const ImageIndex* index) {
    return !common_side(*index).has_value();
  });
  std::optional<int> size = options_.size;
  if (!size && !mixed) return {};
  if (!size) size = options_.size_if_mixed;
  if (!size) {
    throw std::invalid_argument(fmt::format("{}: images have {}; --size N brings them to N×N",
                                            location_, sizes_text(halves)));
  }
  return Framing{options_.grey ? 1 : 3, *size, options_.resize.value_or(usual_resize(*size))};
}

ImageSource::Images ImageSource::look_into_folder(Half half,
                                                  std::vector<std::string> class_names) const {
  const fs::path folder = folder_of(half).value_or(location_);
  if (class_names.empty())
    class_names = list_classes(folder_of(Half::train).value_or(folder.string()));
  const FolderImages images = list_images(folder, class_names, half == Half::train);
  const std::string place = folder.string();
  ImageIndex index = make_index(place, images.paths, examine_image_file, index_options(place));
  for (std::size_t i = 0; i < index.files.size(); ++i) {
    for (IndexedImage& image : index.files[i].images) image.label = images.labels[i];
  }
  return {std::make_shared<const ImageIndex>(std::move(index)), std::move(class_names)};
}

ImageSource::Images ImageSource::look_into_shards(Half half,
                                                  std::vector<std::string> class_names) const {
  const bool folder = is_folder(location_);
  std::vector<std::string> shards = folder ? find_shards(location_, half) : find_shards(location_);
  const char* const name = half == Half::train ? "train" : "test";
  if (shards.empty()) throw DataError(fmt::format("{}: has no shard {}-*.tar", location_, name));
  std::transform(shards.begin(), shards.end(), shards.begin(), full_path);
  const std::string place =
      folder ? fmt::format("{}/{}-*.tar", location_, name) : full_path(location_);
  auto index = std::make_shared<const ImageIndex>(
      make_index(place, shards, examine_shard, index_options(place)));
  class_names = names_of(shards.front(), *index, std::move(class_names));
  return {std::move(index), std::move(class_names)};
}

ImageSource::Images ImageSource::look(Half half, std::vector<std::string> class_names) const {
  return format_ == Format::folder ? look_into_folder(half, std::move(class_names))
                                   : look_into_shards(half, std::move(class_names));
}

DatasetPointer ImageSource::read(Half half) const {
  const Images& images = half == Half::train ? train_ : test_;
  const auto reading = format_ == Format::tar ? StoredImages::Reading::shard_by_shard
                                              : StoredImages::Reading::anyhow;
  return std::make_shared<StoredImages>(images.index, images.class_names, options_.grey ? 1 : 3,
                                        framing_, reading);
}

void ImageSource::describe(Source& source) const {
  source.train_index = train_.index;
  source.test_index = test_.index;
  if (framing_) source.resize = framing_->resize;
  source.random_crop = is_framed() && options_.random_crop;
}

}  // namespace autodidact::data
