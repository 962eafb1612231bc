// data/resize.hpp: pictures brought to another size, and to the one that a network takes.
//
// Source    Pillow 9.4's resize with BILINEAR, bit for bit, and around it torchvision's Resize, CenterCrop and ImageFolder.
// Resize    Each axis for itself, columns first. The weight of source pixel i in output pixel o is a triangle around the output
//           pixel's middle, as wide as the output pixel is in the source, and at least one source pixel (so a smaller picture is
//           a mean, not a sample: antialiasing):
//             s = in/out,  f = max(s, 1),  c = (o + ½)·s,  w_i = max(0, 1 − |i + ½ − c|/f), divided by their sum
//           Weights are whole numbers of 2^-22, and bytes lie between the two axes.
// Framing   to the channels; the short side to `resize`, the long one in proportion, rounded down; the middle `size` × `size` of
//           that, from ⌊(side − size)/2⌉, halves to even.
#pragma once
#include "data/image.hpp"

namespace autodidact::data {

// A part of a picture, in its pixels.
struct Box {
  int top = 0, left = 0, height = 0, width = 0;
  bool operator==(const Box&) const = default;
};

// The box of the picture, brought to height × width. The box lies inside and nothing is empty: the caller's duty. What lies
// outside the box has no influence.
Image resize(const Image& image, Box box, int height, int width);
Image resize(const Image& image, int height, int width);

// The short side to `side`. std::invalid_argument where the long side would have more than 2^16 pixels.
Image resize_short_side(const Image& image, int side);
// std::invalid_argument where a side of the picture is smaller than `side`.
Image centre_crop(const Image& image, int side);

// 1 → 3 channels: three of the same; 3 → 1: their luminance. Others: std::invalid_argument.
Image to_channels(Image image, int channels);

// How a picture of any size becomes one that a network takes, when it is not trained on.
struct Framing {
  int channels = 3;  // 1 or 3
  int size = 224;    // pixels a side
  int resize = 256;  // of the short side, before the middle is cut out; ≥ size
};
// The short side that published results of ImageNet have: 256 for 224, rounded for others.
constexpr int usual_resize(int size) { return (size * 256 + 112) / 224; }

// Computes only what is seen, so that a long thin picture costs no more than another.
Image frame(const Image& image, const Framing& framing);

}  // namespace autodidact::data
