// data/synthetic.hpp: pictures made up from numbers, for tests, benches and a first try without any file.
//
// Each class is a soft random pattern (4×4 random colours, smoothly enlarged to the image). A sample is the pattern of its
// class, moved by up to an eighth of the side with wrap-around, at 60 … 100 % contrast, plus uniform noise of ±40. A small network
// tells the classes apart within an epoch or two; nothing can do it by looking at a single pixel. Labels run 0, 1, … Q−1, 0, 1, …
//
// The same options give the same bytes in every run of one build; the two halves share the patterns, not the samples.
#pragma once
#include <cstddef>
#include <cstdint>

#include "data/dataset.hpp"

namespace autodidact::data {

struct SyntheticOptions {
  std::size_t train_samples = 2000;  // the test half has a fifth as many, at least one a class
  int channels = 3;                  // 1 … 4
  int side = 32;                     // 4 … 4096 pixels
  int classes = 10;                  // 2 … 1000
  std::uint64_t seed = 0;
};

// std::invalid_argument where an option is out of range or the pixels exceed kMaxFileBytes.
DatasetPointer make_synthetic(const SyntheticOptions& options, Half half);

}  // namespace autodidact::data
