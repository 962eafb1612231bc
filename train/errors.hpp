// The ways a run can fail that are not a user's typing error, each a class of its own, because the program's exit code
// is a promise that scripts on a cluster build on:
//
//   code  meaning                        thrown as
//   0     ok
//   2     usage or config                std::invalid_argument
//   3     data                           data::DataError
//   4     checkpoint or model file       FileFormatError
//   5     numerical                      NumericalError
//   6     communication                  (engine's communicator)
//   7     disk or memory                 ResourceError, std::bad_alloc
//   75    saved after a signal: run me again
//
// The text of each is one clear sentence with names and numbers, ready to be printed as it is.
#pragma once

#include <stdexcept>

namespace autodidact::train {

/// A file of weights, a checkpoint or a policy is missing, damaged or not what was asked for. Exit code 4.
class FileFormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A loss or a gradient is not finite, or a gradient check failed. Exit code 5.
class NumericalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The machine refused: disk full, no permission, no memory. Exit code 7.
class ResourceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace autodidact::train
