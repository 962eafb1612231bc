// data/export.hpp: a data set as image files, for other programs and as an example of what folder: and tar: read.
//
//   folder   DIR/train/CLASS/000000.png … and DIR/test/CLASS/…; a / in the name of a class becomes -
//   tar      DIR/train-000000.tar … and DIR/test-000000.tar …, 1,000 samples each, of KEY.png and KEY.cls; and DIR/classes.txt
// Images are written as they lie in the set, with its border and before augmentation.
#pragma once
#include <cstddef>
#include <filesystem>

#include "data/source.hpp"

namespace autodidact::data {

enum class ExportFormat { folder, tar };

// At most `limit` images of each half: the first of each class, and of the others the first; a class that has none gets no folder. All is
// written aside and renamed in the end: whole or not at all. std::invalid_argument where the folder is there already, images have neither
// 1 nor 3 channels, or there are more classes than `limit`; std::runtime_error where it cannot be written.
void export_images(const Source& source, ExportFormat format, const std::filesystem::path& folder,
                   std::size_t limit);

}  // namespace autodidact::data
