// data/network_input.hpp: an image file in the form that a network takes.
#pragma once
#include <filesystem>

#include "data/image.hpp"

namespace autodidact::data {

// Grey becomes colour by being repeated, colour becomes grey as Pillow's convert("L") does it, (19595·R + 38470·G + 7471·B + 2¹⁵) >> 16.
// An image of 28 pixels gets the border that open_source gives it where the network takes 32; any other size than the network's is
// refused. DataError naming the file and both sizes; the same for what read_png refuses.
Image read_network_input(const std::filesystem::path& path, ImageShape wanted);
}  // namespace autodidact::data
