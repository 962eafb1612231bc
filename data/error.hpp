// data/error.hpp: what is wrong with the user's data, in one sentence that names the file, the offset and what was expected.
//
// Thrown for the content of files and folders (exit code 3 of the program). A malformed option (--data, --augment) is
// std::invalid_argument instead (exit code 2).
#pragma once
#include <stdexcept>

namespace autodidact::data {

class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reading was broken off because somebody asked for it (SourceOptions::stop); nothing is wrong.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace autodidact::data
