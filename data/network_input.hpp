// data/network_input.hpp: an image file in the form that a network takes.
#pragma once
#include <filesystem>
#include <optional>

#include "data/image.hpp"

namespace autodidact::data {

// PNG or JPEG; grey and colour as the network has it (to_channels). An image of 28 pixels gets the border that open_source gives it
// where the network takes 32; any other size is brought to the network's as test images of folders are (frame, with usual_resize).
// Where training brought images to a size by `resize` (Framing::resize), all are framed so.
// DataError naming the file for what read_image refuses, and for a network that takes neither 1 nor 3 channels.
Image read_network_input(const std::filesystem::path& path, ImageShape wanted,
                         std::optional<int> resize = {});
}  // namespace autodidact::data
