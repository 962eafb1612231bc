// data/random_crop.hpp: which part of a picture a training sample shows.
//
// Source    Szegedy et al. 2015, arXiv:1409.4842 §6, as torchvision's RandomResizedCrop has it.
// Draw      a share of the area, uniform in 0.08 … 1, and the logarithm of width/height, uniform in ln ¾ … ln 4⁄3; the sides
//           rounded, halves to even; then the corner, uniform. Ten tries to find a box that fits; else the largest box in the
//           middle whose sides have a permitted ratio.
// Same bits wherever exp, log and sqrt of the C library agree.
#pragma once
#include "data/resize.hpp"
#include "engine/random.hpp"

namespace autodidact::data {

// height, width ≥ 1; the box lies inside.
Box draw_random_crop(int height, int width, engine::Random& random);

}  // namespace autodidact::data
