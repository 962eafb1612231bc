// data/idx.hpp: the IDX files of the MNIST family.
//
// Source    LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
// Images    magic 0x00000803, then N, H, W as 32-bit big-endian numbers, then N·H·W bytes (one channel); or
//           magic 0x00000804, then N, C, H, W, then N·C·H·W bytes (C = 1 … 4).
// Labels    magic 0x00000801, then N, then N bytes.
// Files     train-images-idx3-ubyte and train-labels-idx1-ubyte; t10k-… or test-… for the test half; ".idx3" for "-idx3" and idx4
//           for idx3 are found too; each also with .gz or .xz. In a folder, after a prefix ("emnist-letters" finds
//           emnist-letters-train-images-idx3-ubyte), or by naming one file of images, whose labels lie beside it.
// Classes   class_names.txt in the folder, one name a line, says how many there are; else the highest label (of the train half,
//           where it is there) + 1, called by their numbers.
// Errors    DataError: missing file, wrong magic, truncated or trailing bytes, images and labels of different number, label out
//           of range, empty.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace autodidact::data {

// `class_names`: fixes the classes where the caller knows them; empty: as above.
DatasetPointer read_idx(Half half, const std::filesystem::path& location,
                        std::vector<std::string> class_names = {});

}  // namespace autodidact::data
