// data/normalisation.hpp: the mean and standard deviation that images are brought to 0 and 1 with.
//
// A pixel p (0 … 255) of channel c becomes (p/255 − mean[c]) / std[c]. mean and std are in units of [0, 1].
#pragma once
#include <cstddef>
#include <limits>
#include <vector>

#include "data/dataset.hpp"

namespace autodidact::data {

struct Normalisation {
  std::vector<float> mean, std;  // one a channel
  bool operator==(const Normalisation&) const = default;
};

// The figures of CIFAR-10's training images that the published recipes use for both CIFARs.
Normalisation cifar_normalisation();

// The figures that networks trained on ImageNet are published with; for one channel the means of the three.
Normalisation imagenet_normalisation(int channels);

// Per channel over all pixels of all samples, or of `most` of them spread evenly; population standard deviation √(Σ(p−mean)²/M).
// The sums are of whole numbers and so exact. A constant channel gets std 1: it has nothing to scale. std::invalid_argument for an
// empty dataset.
Normalisation measure_normalisation(const Dataset& dataset,
                                    std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace autodidact::data
