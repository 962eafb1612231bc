// data/augment.hpp: from a sample's bytes to the numbers that the network sees.
//
// Source    He et al. 2016, arXiv:1512.03385 §4.2 (crop, flip); DeVries & Taylor 2017, arXiv:1708.04552 (cutout).
// Order     crop → flip → policy → to [0,1] → cutout → normalise, of which a kind of augmentation takes some:
//             none              normalise
//             crop-flip         crop, flip, normalise
//             crop-flip-cutout  crop, flip, cutout, normalise
//             seed              all, the policy AutoAugment's for CIFAR-10; seed:imagenet and seed:svhn take another
//             randaugment:N,M   all, the policy RandAugment (2,9 where N,M is left out)
//           random crop   where pictures are stored larger and the kind is not none (random_crop.hpp), in the place of:
//           crop      a window of the image's own size out of the image with a border of `border` pixels of value `fill`; each of
//                     the (2·border+1)² positions is equally likely
//           flip      left to right with probability ½
//           policy    policy.hpp; bytes in, bytes out; pictures of 1 or 3 channels only
//           cutout    one square hole, half the height long (16 at 32 pixels), its centre uniform over the image, clipped at the
//                     image's edge, filled with 0 before normalising (so black, not the mean)
//           normalise y = (p/255 − mean[c]) / std[c], computed in f64 and rounded once
// Draws     the random crop's or top, left; flip, the policy's, then the hole's row and column, from the Random given: a sample's
//           picture depends on its key alone.
// Shapes    bytes in C·H·W, f32 out C·H·W, plain.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.hpp"
#include "data/normalisation.hpp"
#include "data/policy.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

enum class Augment { none, crop_flip, crop_flip_cutout, seed, randaugment };

struct AugmentOptions {
  Augment kind = Augment::none;
  int border = 4;           // pixels the crop may move
  std::uint8_t fill = 128;  // value of the border
  Policy policy = Policy::cifar10;
  RandAugment rand_augment = {};
  bool random_crop = false;  // of the stored picture; the data's doing, not part of a kind's name
};

// One of the kinds above, as written there; anything else: std::invalid_argument with the list.
AugmentOptions parse_augment(std::string_view text);
// What parse_augment reads, with the kind's own numbers where they are not the usual ones.
std::string augment_name(const AugmentOptions& options);

// The steps one by one, on bytes in plain C·H·W.
// The window whose corner is pixel (top, left) of the bordered image; (border, border) is the image itself.
// 0 ≤ top, left ≤ 2·border. source and target may not overlap.
void crop(ConstBytes source, Bytes target, ImageShape shape, int top, int left, int border,
          std::uint8_t fill);
void flip(Bytes image, ImageShape shape);
// Zero bytes are zeros of [0,1], so the hole can be cut before the conversion.
void cut_out(Bytes image, ImageShape shape, int centre_row, int centre_column, int length);

// The whole road for one dataset's shape. Holds scratch memory: one object a thread, copies are cheap.
class Augmentation {
 public:
  using Options = AugmentOptions;

  // std::invalid_argument where the normalisation has not one finite mean and one positive std a channel, border is not
  // 0 … 4096, or the kind has a policy and the pictures not 1 or 3 channels.
  Augmentation(const Options& options, ImageShape shape, const Normalisation& normalisation);

  ImageShape shape() const { return image_.shape; }
  const Options& options() const { return options_; }

  // Where to put the bytes of the next sample: shape().bytes() of them.
  Bytes input() { return image_.pixels; }
  // Puts sample i there, as it is or cropped at random; what follows draws on from `random`.
  void load(const Dataset& dataset, std::size_t i, engine::Random& random);

  // Augments and normalises what lies in input(), which is used up. out: as many floats.
  void apply(engine::Random random, std::span<float> out);

  // The same before normalising: valid until input() is written to.
  ConstBytes augment(engine::Random random);

 private:
  Options options_;
  std::vector<std::array<float, 256>> normalised_;  // for each channel, what each byte becomes
  Image image_;
  std::vector<std::uint8_t> scratch_;
};

}  // namespace autodidact::data
