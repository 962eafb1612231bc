#include "cli/image_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace autodidact::cli {
namespace {

struct Sides {
  int least, median, greatest;
};

Sides sides(const data::ImageIndex& index, int data::IndexedImage::*side) {
  std::vector<int> all;
  for (const data::IndexedFile& file : index.files)
    for (const data::IndexedImage& image : file.images) all.push_back(image.*side);
  std::sort(all.begin(), all.end());
  return {all.front(), all[all.size() / 2], all.back()};  // no index is empty
}

std::string text(const Sides& sides) {
  return fmt::format("{} / {} / {}", sides.least, sides.median, sides.greatest);
}
nlohmann::ordered_json json(const Sides& sides) {
  return {{"min", sides.least}, {"median", sides.median}, {"max", sides.greatest}};
}
}  // namespace

std::string image_statistics_text(const data::ImageIndex& index) {
  return fmt::format("width {}, height {} (least / median / greatest), {} damaged",
                     text(sides(index, &data::IndexedImage::width)),
                     text(sides(index, &data::IndexedImage::height)), index.bad().size());
}

nlohmann::ordered_json image_statistics_json(const data::ImageIndex& index) {
  return {{"width", json(sides(index, &data::IndexedImage::width))},
          {"height", json(sides(index, &data::IndexedImage::height))},
          {"bad", index.bad()}};
}
}  // namespace autodidact::cli
