// data/point_operations.hpp: a new value for each old one: a table of 256 bytes, for all channels or for each its own.
//
// Source    Pillow 9.4's ImageOps, bit for bit. Below, p is a pixel's value, h(p) how many pixels of the channel have it.
//   invert         255 − p
//   solarize       p where p < threshold, else 255 − p
//   posterize      the upper `bits` bits of p, 1 … 8
//   autocontrast   stretches lo … hi, the channel's least and greatest value, to 0 … 255: ⌊255/(hi−lo)·p − 255/(hi−lo)·lo⌋; a
//                  channel of one value stays
//   equalize       flattens the channel's histogram: (⌊step/2⌋ + Σ_{q<p} h(q)) / step in whole numbers, at most 255, with
//                  step = (pixels of all but the greatest value) / 255; a channel of one value, or with step 0, stays
// All in place, for any number of channels.
#pragma once
#include "data/image.hpp"

namespace autodidact::data {

void invert(Bytes image);
void solarize(Bytes image, double threshold);
void posterize(Bytes image, int bits);
void autocontrast(Bytes image, ImageShape shape);
void equalize(Bytes image, ImageShape shape);

}  // namespace autodidact::data
