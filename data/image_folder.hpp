// data/image_folder.hpp: image files in a folder for each class, as torchvision's ImageFolder has them.
//
//   FOLDER/CLASS/…/NAME.png|jpg|jpeg   at any depth below CLASS, endings in any case; other files are no images
// Classes are the names of the folders in the order of their bytes, images in that of their paths. What begins with a dot is left
// out; links to files are followed, and to a CLASS folder, but not to folders within it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/image_index.hpp"

namespace autodidact::data {

// DataError for a name that is not UTF-8: weights keep names as JSON and would not know it again. `place` is where it was found.
void require_utf8(const std::string& place, const std::string& class_name);

// DataError where the folder cannot be read, has no folder in it, or one whose name is not UTF-8.
std::vector<std::string> list_classes(const std::filesystem::path& folder);

struct FolderImages {
  std::vector<std::string> paths;
  std::vector<std::int32_t> labels;  // one a path
};
// DataError for a class that is not among `class_names`, and where `complete` and one of these has no image.
FolderImages list_images(const std::filesystem::path& folder,
                         const std::vector<std::string>& class_names, bool complete);

// See image_index.hpp; the label is left 0.
IndexedFile examine_image_file(const std::string& path);

}  // namespace autodidact::data
