// train/confusion.hpp: which class each exit took for which, and confusion.json, which keeps it.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "train/exit_accuracies.hpp"

namespace autodidact::train {

// Beyond so many classes nothing is counted: five matrices of 1000² numbers are 10 MB of JSON.
inline constexpr std::size_t kMostConfusedClasses = 1000;

struct Confusion {
  std::size_t classes = 0;  // Q; 0: nothing was counted
  // Of exits 1 … 4 and the ensemble: Q×Q numbers of images, row = true class, column = answer. Empty: there is no such exit.
  std::array<std::vector<std::int64_t>, kColumns> counts = {};
  std::vector<std::string> class_names = {};  // Q or fewer
  std::string weights = {};                   // the file that answered
  std::string data = {};                      // and what was asked of it

  void add(std::size_t column, std::size_t of_classes, std::size_t truth, std::size_t answer);
  std::int64_t at(std::size_t column, std::size_t truth, std::size_t answer) const { return counts[column][truth * classes + answer]; }
  std::int64_t images_of(std::size_t truth) const;
  // Of the images of class `truth`, those answered so; kMissing without any image or exit.
  double share(std::size_t column, std::size_t truth, std::size_t answer) const;
  std::string name_of(std::size_t klass) const;  // its number where it has no name
};

// "weights data classes class_names exits ensemble"; a matrix is a list of rows, null where there is no such exit.
std::string to_json(const Confusion& confusion);
// Throws std::invalid_argument that says what is wrong.
Confusion confusion_from_json(const std::string& text);
// Atomic; ResourceError. Nothing is written where nothing was counted.
void write_confusion(const std::filesystem::path& path, const Confusion& confusion);
}  // namespace autodidact::train
