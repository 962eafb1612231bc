// train/weights.hpp: a ParameterStore as a safetensors file, and back.
//
// Names are the state-dict names (`layer1.0.conv1.weight`, `bn1.running_var`, and `bn1.num_batches_tracked`, which is the number
// of steps taken), types F32 and I64, layouts plain (OIHW). The metadata of our files says what network they belong to, so that
// `eval` needs no other option; files from elsewhere lack it, and the options must say it.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/parameter_store.hpp"
#include "model/network.hpp"
#include "train/safetensors.hpp"

namespace autodidact::train {

// What weights alone do not tell.
struct ModelInfo {
  std::string model = "resnet18";
  int width = 64;
  int classes = 10;
  int channels = 3;
  int side = 32;  // pixels
  std::string stem = "cifar";
  std::string recipe = "seed";
  std::vector<int> adaptation_exits = {};  // exits that have an adaptation layer
  int groups = 0, width_per_group = 0;     // of the 3×3 of a bottleneck; 0: the architecture's
  std::vector<int> dilated_stages = {};    // stages 2 … 4 that dilate in place of striding
  std::string pooling = "global";          // or "window": the seed's AvgPool(4,4)
  std::vector<std::string> class_names = {};
  std::vector<float> mean = {}, std = {};  // of the normalisation; empty: unknown
  std::optional<std::uint64_t> validation_seed = {};  // of the split whose validation part was not trained on; empty: none, or unknown
};
Metadata to_metadata(const ModelInfo& info);
// A network's side of it; names, mean and std stay as they are by default. And back: the network for square images.
ModelInfo describe(const model::NetworkOptions& network, const std::string& recipe);
model::NetworkOptions network_of(const ModelInfo& info);
// Empty if the file says nothing of the network; FileFormatError if what it says makes no sense: no such network, or a mean and
// deviation that nothing can be normalised with.
std::optional<ModelInfo> model_info(const SafetensorsFile& file);

// Atomic. `steps`: becomes num_batches_tracked of every batch norm.
void save_weights(const std::filesystem::path& path, const ModelInfo& info,
                  const engine::ParameterStore& store, std::int64_t steps);

// What did not fit one to one.
struct LoadReport {
  std::vector<std::string> missing;  // in the store, not in the file
  std::vector<std::string> ignored;  // in the file, not in the store
};
// Fills values and running statistics. A tensor of another type or shape, or with a number that is not finite or a variance below 0,
// is a FileFormatError; a missing one is too, unless `partial`: then it keeps its value and is reported.
LoadReport load_weights(const SafetensorsFile& file, engine::ParameterStore& store, bool partial = false);
}  // namespace autodidact::train
