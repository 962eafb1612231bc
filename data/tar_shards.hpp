// data/tar_shards.hpp: samples in tar files, as WebDataset has them.
//
// Source    https://github.com/webdataset/webdataset: members that have the same name up to the first dot of its last part (the
//           key) and follow one another are one sample: KEY.jpg, KEY.jpeg or KEY.png, and KEY.cls, its label in digits. Other
//           members are not looked at. Names are only compared and printed: nothing is unpacked, so .. in them reaches nothing.
// Shards    A pattern names one half: a file, with * ? [ ] as in a shell, and one range {000..146}, of which each must be there.
//           A folder has train-*.tar and, to test on, test-*.tar or val-*.tar. In the order of their names.
// Classes   classes.txt beside the shards, one name a line; else the highest label + 1, called by their numbers.
// Archives one behind the other (cat a.tar b.tar) are one shard.
// Shards must not be compressed: images are, and then any of them can be read where it lies.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/image_index.hpp"

namespace autodidact::data {

inline constexpr std::int32_t kMaxLabel = 99'999;

// DataError where nothing matches; std::invalid_argument for a range that is none.
std::vector<std::string> find_shards(const std::string& pattern);
// Empty where the folder has none.
std::vector<std::string> find_shards(const std::filesystem::path& folder, Half half);

// See image_index.hpp. A sample without label or image, with two of them, or with an image that is damaged goes to `bad`, as does a
// shard that ends early, whose samples before the cut remain, and what lies where a member should begin and is none.
IndexedFile examine_shard(const std::string& path);

}  // namespace autodidact::data
