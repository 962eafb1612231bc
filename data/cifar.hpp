// data/cifar.hpp: the binary records of CIFAR-10 and CIFAR-100.
//
// Source    https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version"; Krizhevsky 2009.
// Record    CIFAR-10 : 1 byte label (0 … 9)                            + 3·32·32 bytes of pixels = 3,073 bytes
//           CIFAR-100: 1 byte coarse label (0 … 19), 1 byte fine (0 … 99) + 3·32·32            = 3,074 bytes; fine is used
//           Pixels are planes red, green, blue, each row by row: the CHW of Dataset. Files are records and nothing else.
// Files     cifar10 : data_batch_1.bin … data_batch_5.bin, test_batch.bin, names in batches.meta.txt
//           cifar100: train.bin, test.bin, names in fine_label_names.txt
//           each also with .gz or .xz; in the folder or in cifar-10-batches-bin/, cifar-100-binary/ below it. Without
//           a file of names, classes are called by their numbers.
// Errors    DataError: missing file, truncated record, label out of range, no record at all.
#pragma once
#include <filesystem>

#include "data/dataset.hpp"

namespace autodidact::data {

enum class Cifar { ten, hundred };

// One half of the dataset from a folder, or the single file if `location` is a file (then `half` does not matter).
DatasetPointer read_cifar(Cifar kind, Half half, const std::filesystem::path& location);

}  // namespace autodidact::data
