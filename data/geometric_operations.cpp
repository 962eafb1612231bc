#include "data/geometric_operations.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <vector>

namespace autodidact::data {

namespace {

// Where an output pixel of a sheared line comes from: four taps, and how far it lies between the middle two.
struct Taps {
  int index[4];
  double between;
};

// `from`: a position along a line of `length` pixels, 0 ≤ from < length.
Taps taps_at(double from, int length) {
  const double position = from - 0.5;
  const int first = static_cast<int>(position) - (position < 0 ? 1 : 0);  // ⌊position⌋: it is ≥ −½
  Taps taps{{}, position - first};
  for (int k = 0; k < 4; ++k) taps.index[k] = std::clamp(first - 1 + k, 0, length - 1);
  return taps;
}

// The order of operations is Pillow's: the last bit of the sum decides where a result is cut off.
std::uint8_t bicubic(int a, int b, int c, int d, double t) {
  const double p1 = b, p2 = c - a, p3 = 2 * (a - b) + c - d, p4 = -a + b - c + d;
  const double value = p1 + t * (p2 + t * (p3 + t * p4));
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
}

// For each output position the input position, −1 for outside.
void nearest_positions(double shift, int length, std::vector<int>& positions) {
  positions.resize(static_cast<std::size_t>(length));
  double from = shift + 0.5;  // added up step by step, as Pillow does: the roundings count
  for (int& position : positions) {
    position = from < 0 || from >= length ? -1 : static_cast<int>(from);
    from += 1;
  }
}

// Python's round(value, 15): the nearest decimal number.
double rounded_to_15_digits(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.15f", value);
  return std::strtod(text, nullptr);
}

int fixed(double value) { return static_cast<int>(std::floor(value * 65536.0 + 0.5)); }

}  // namespace

void shear_x(ConstBytes source, Bytes target, ImageShape shape, double slope, std::uint8_t fill) {
  const int width = shape.width;
  for (int y = 0; y < shape.height; ++y) {
    const double moved = slope * (y + 0.5);
    for (int x = 0; x < width; ++x) {
      const double from = x + 0.5 + moved;
      std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
      if (from < 0 || from >= width) {
        for (int c = 0; c < shape.channels; ++c, at += shape.plane()) {
          target[at + static_cast<std::size_t>(x)] = fill;
        }
        continue;
      }
      const Taps taps = taps_at(from, width);
      for (int c = 0; c < shape.channels; ++c, at += shape.plane()) {
        const std::uint8_t* row = source.data() + at;
        target[at + static_cast<std::size_t>(x)] =
            bicubic(row[taps.index[0]], row[taps.index[1]], row[taps.index[2]], row[taps.index[3]],
                    taps.between);
      }
    }
  }
}

void shear_y(ConstBytes source, Bytes target, ImageShape shape, double slope, std::uint8_t fill) {
  const int width = shape.width, height = shape.height;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double from = slope * (x + 0.5) + (y + 0.5);
      const std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                             static_cast<std::size_t>(x);
      const bool inside = from >= 0 && from < height;
      const Taps taps = inside ? taps_at(from, height) : Taps{};
      for (int c = 0; c < shape.channels; ++c) {
        const std::size_t plane = static_cast<std::size_t>(c) * shape.plane();
        const std::uint8_t* column = source.data() + plane + x;
        target[plane + at] =
            inside ? bicubic(column[taps.index[0] * width], column[taps.index[1] * width],
                             column[taps.index[2] * width], column[taps.index[3] * width],
                             taps.between)
                   : fill;
      }
    }
  }
}

void translate(ConstBytes source, Bytes target, ImageShape shape, double right, double down,
               std::uint8_t fill) {
  std::vector<int> columns, rows;
  nearest_positions(right, shape.width, columns);
  nearest_positions(down, shape.height, rows);
  const std::uint8_t* plane = source.data();
  std::uint8_t* out = target.data();
  for (int c = 0; c < shape.channels; ++c, plane += shape.plane()) {
    for (const int y : rows) {
      const std::uint8_t* row = y < 0 ? nullptr : plane + y * shape.width;
      for (const int x : columns) *out++ = row && x >= 0 ? row[x] : fill;
    }
  }
}

void rotate(ConstBytes source, Bytes target, ImageShape shape, double degrees, std::uint8_t fill) {
  // The way back: from an output pixel to where it comes from. Pillow brings the angle to 0 … 360 first.
  const double turn = std::fmod(degrees, 360.0);
  const double angle = -((turn < 0 ? turn + 360 : turn) * (std::numbers::pi / 180));
  const double cosine = rounded_to_15_digits(std::cos(angle));
  const double sine = rounded_to_15_digits(std::sin(angle));
  const double minus_sine = rounded_to_15_digits(-std::sin(angle));
  const double middle_x = shape.width / 2.0, middle_y = shape.height / 2.0;
  const double right = cosine * -middle_x + sine * -middle_y + middle_x;
  const double down = minus_sine * -middle_x + cosine * -middle_y + middle_y;

  const int x_per_column = fixed(cosine), x_per_row = fixed(sine);
  const int y_per_column = fixed(minus_sine), y_per_row = fixed(cosine);
  int x_of_row = fixed(right + cosine * 0.5 + sine * 0.5);
  int y_of_row = fixed(down + minus_sine * 0.5 + cosine * 0.5);
  std::uint8_t* out = target.data();
  for (int y = 0; y < shape.height; ++y, x_of_row += x_per_row, y_of_row += y_per_row) {
    int from_x = x_of_row, from_y = y_of_row;
    for (int x = 0; x < shape.width; ++x, from_x += x_per_column, from_y += y_per_column, ++out) {
      const int column = from_x >> 16, row = from_y >> 16;
      const bool inside = column >= 0 && column < shape.width && row >= 0 && row < shape.height;
      const std::uint8_t* in = source.data() + (inside ? row * shape.width + column : 0);
      for (std::size_t c = 0; c < static_cast<std::size_t>(shape.channels); ++c) {
        out[c * shape.plane()] = inside ? in[c * shape.plane()] : fill;
      }
    }
  }
}

}  // namespace autodidact::data
