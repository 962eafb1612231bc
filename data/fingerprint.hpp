// data/fingerprint.hpp: a short text by which a dataset is known again, wherever it lies.
#pragma once
#include <string>

#include "data/dataset.hpp"

namespace autodidact::data {

// "50000 images 3x32x32, 100 classes, 0123456789abcdef": the last is a hash of the names of the classes, and of pixels and labels of 64
// samples spread evenly over the set. Reads no others.
std::string fingerprint(const Dataset& dataset);
}  // namespace autodidact::data
