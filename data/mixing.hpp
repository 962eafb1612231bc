// data/mixing.hpp: two pictures in one, with both their labels: mixup and CutMix.
//
// Source    Zhang et al. 2018, mixup, arXiv:1710.09412; Yun et al. 2019, CutMix, arXiv:1905.04899.
// Symbols   x : a batch (N,C,H,W), y its labels. λ ~ Beta(A,A), one a batch. Sample n is paired with N−1−n: batches are shuffled, so
//           that is as good as any other pairing, and it can be done in place.
//   mixup     x_n ← λ·x_n + (1−λ)·x_{N−1−n}
//   CutMix    a box of sides H·√(1−λ) and W·√(1−λ), its centre uniform over the picture, clipped at the edge, is swapped between the
//             two; λ is then what is left, 1 − box area / (H·W)
//   loss      λ·CE(z, y_n) + (1−λ)·CE(z, y_{N−1−n}): labels, second labels and the weight of the first
// Where both are asked for, each batch takes one of them by an even chance. A batch that takes CutMix gets it with probability p; else
// it stays as it is. A picture in the middle of an odd batch is its own pair.
// Draws     (seed, Purpose::mixing, epoch, batch): which, whether (where p < 1), λ, the box's centre.
#pragma once
#include <span>

#include "data/image.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

// A of Beta(A,A): small ones leave most batches nearly as they are, 1 makes all λ equally likely. 0: not at all.
struct MixingOptions {
  double mixup = 0, cutmix = 0;  // each 0 or 0.001 … 1000
  double cutmix_probability = 1;  // p, 0 … 1
  bool any() const { return mixup > 0 || cutmix > 0; }
};
// std::invalid_argument where a number is out of range.
void check_mixing(const MixingOptions& options);

struct Mix {
  double weight = 1;  // λ; 1 means that nothing is mixed
  bool box = false;   // CutMix: rows top … bottom−1 and columns left … right−1 are swapped
  int top = 0, bottom = 0, left = 0, right = 0;
};

// λ ~ Beta(A,A), within [0,1]. A > 0.
double draw_beta(double a, engine::Random& random);
Mix draw_mix(const MixingOptions& options, ImageShape shape, engine::Random random);

// images: count·C·H·W, in place.
void mix_images(const Mix& mix, std::span<float> images, ImageShape shape, std::size_t count);

}  // namespace autodidact::data
