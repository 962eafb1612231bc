// data/geometric_operations.hpp: a picture sheared, moved or turned; what comes from outside it gets the value `fill`.
//
// Source    Pillow 9.4's Image.transform(AFFINE) and Image.rotate, bit for bit, with its ways to count: the output pixel (x, y) has
//           its middle at (x + ½, y + ½).
//   shear_x      takes it from (x + ½ + slope·(y + ½), y + ½), bicubic
//   shear_y      takes it from (x + ½, y + ½ + slope·(x + ½)), bicubic
//                Shearing moves along one axis only, so of the 16 taps of a bicubic interpolation 4 remain. They are Pillow's, of
//                cubic convolution with a = −1 (Keys 1981), in f64, cut off to whole numbers; taps outside repeat the edge.
//   translate    takes it from (x + ½ + right, y + ½ + down), nearest
//   rotate       turns counter-clockwise about the middle by `degrees`, nearest, in 16.16 fixed point
// source and target may not overlap. Sides of at most kMaxSide pixels: fixed point has no room for more.
#pragma once
#include "data/image.hpp"

namespace autodidact::data {

inline constexpr int kMaxSide = 16384;

void shear_x(ConstBytes source, Bytes target, ImageShape shape, double slope, std::uint8_t fill);
void shear_y(ConstBytes source, Bytes target, ImageShape shape, double slope, std::uint8_t fill);
void translate(ConstBytes source, Bytes target, ImageShape shape, double right, double down,
               std::uint8_t fill);
void rotate(ConstBytes source, Bytes target, ImageShape shape, double degrees, std::uint8_t fill);

}  // namespace autodidact::data
