// cli/image_statistics.hpp: what `data --stats` says of the images in folders and shards beside their pixels.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "data/image_index.hpp"

namespace autodidact::cli {

// "width 180 / 500 / 4288, height 160 / 375 / 3000 (least, median, greatest), 2 damaged"
std::string image_statistics_text(const data::ImageIndex& index);
// `width` and `height`, each with `min median max`, and `bad`, a sentence for each damaged image.
nlohmann::ordered_json image_statistics_json(const data::ImageIndex& index);
}  // namespace autodidact::cli
