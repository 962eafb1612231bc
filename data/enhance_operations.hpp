// data/enhance_operations.hpp: a picture led away from a degenerate one, or towards it: the factor 1 leaves it as it is.
//
// Source    Pillow 9.4's ImageEnhance, bit for bit: y = d + factor·(p − d), in f32, limited to 0 … 255 and cut off to a whole number.
//           What the degenerate picture d is:
//   color        the picture in grey, L = ⌊(19595·R + 38470·G + 7471·B + 2^15) / 2^16⌋ (ITU-R 601-2); grey pictures do not change
//   contrast     the mean of L over the picture, rounded to a whole number, everywhere
//   brightness   black
//   sharpness    the mean over 3×3 pixels in which the middle one counts five times, (Σ of 3×3 + 4·p) / 13, rounded;
//                pixels of the edge, and pictures with less than 3 pixels a side, do not change
// Pictures of 1 (grey) or 3 (red, green, blue) channels; color and contrast need that, the others take any number.
#pragma once
#include "data/image.hpp"

namespace autodidact::data {

void adjust_color(Bytes image, ImageShape shape, double factor);
void adjust_contrast(Bytes image, ImageShape shape, double factor);
void adjust_brightness(Bytes image, double factor);
// Not in place: source and target may not overlap.
void adjust_sharpness(ConstBytes source, Bytes target, ImageShape shape, double factor);

}  // namespace autodidact::data
