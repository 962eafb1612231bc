// train/convert.hpp: weights with exactly the names that another program's module expects, so that it loads them strictly.
//
//   seed             trunk, attention, scala, fc1 … fc4: the published module without its adaptation layers
//   seed+adaptation  and adaptation_layers.0 … 2; those that the file lacks are made, as `init` would
//   torchvision      trunk and fc, which is our fc4
// Each with num_batches_tracked. The module must have the same width, stem, images and classes.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "train/weights.hpp"

namespace autodidact::train {

enum class Reader : std::uint8_t { seed, seed_adaptation, torchvision };
// Throws std::invalid_argument with the list of names.
Reader reader_by_name(std::string_view name);

struct Conversion {
  std::size_t tensors = 0;               // written
  std::vector<std::string> left_out;     // of the file
  std::vector<std::string> made;         // not in the file: adaptation layers, freshly initialised from `seed`
};
// Atomic. Throws FileFormatError where the file lacks what the reader needs, and as load_weights does.
Conversion convert_weights(const SafetensorsFile& file, const ModelInfo& info, Reader reader, std::uint64_t seed,
                           const std::filesystem::path& out);

// A store without gradients for a network's inference, filled strictly from the file.
engine::ParameterStore inference_store(const SafetensorsFile& file, const ModelInfo& info);
}  // namespace autodidact::train
