// data/augment.hpp: from a sample's bytes to the numbers that the network sees.
//
// Source    He et al. 2016, arXiv:1512.03385 §4.2 (crop, flip); DeVries & Taylor 2017, arXiv:1708.04552 (cutout).
// Order     crop → flip → [policies on bytes belong here] → to [0,1] → cutout → normalise.
//           crop      a window of the image's own size out of the image with a border of `border` pixels of value `fill`; each of
//                     the (2·border+1)² positions is equally likely
//           flip      left to right with probability ½
//           cutout    one square hole, half the height long (16 at 32 pixels), its centre uniform over the image, clipped at the
//                     image's edge, filled with 0 before normalising (so black, not the mean)
//           normalise y = (p/255 − mean[c]) / std[c], computed in f64 and rounded once
// Draws     top, left, flip, then the hole's row and column, from the Random given: a sample's picture depends on its key alone.
// Shapes    bytes in C·H·W, f32 out C·H·W, plain.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/dataset.hpp"
#include "data/normalisation.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

enum class Augment { none, crop_flip, crop_flip_cutout };

// "none", "crop-flip", "crop-flip-cutout"; anything else: std::invalid_argument with the list.
Augment parse_augment(std::string_view name);
std::string_view augment_name(Augment augment);

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
  struct Options {
    Augment kind = Augment::none;
    int border = 4;           // pixels the crop may move
    std::uint8_t fill = 128;  // value of the border
  };

  // std::invalid_argument where the normalisation has not one finite mean and one positive std a channel, or border is not
  // 0 … 4096.
  Augmentation(const Options& options, ImageShape shape, const Normalisation& normalisation);

  ImageShape shape() const { return shape_; }
  const Options& options() const { return options_; }

  // Where to put the bytes of the next sample: shape().bytes() of them.
  Bytes input() { return image_; }

  // Augments and normalises what lies in input(), which is used up. out: as many floats.
  void apply(engine::Random random, std::span<float> out);

 private:
  Options options_;
  ImageShape shape_;
  std::vector<std::array<float, 256>> normalised_;  // for each channel, what each byte becomes
  std::vector<std::uint8_t> image_, cropped_;
};

}  // namespace autodidact::data
