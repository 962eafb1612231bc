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
  std::optional<int> resize = {};          // pixels of the short side of test images before the middle was cut out; empty: they were
                                           // taken as they are, or unknown
  std::optional<std::uint64_t> validation_seed = {};  // of the split whose validation part was not trained on; empty: none, or unknown
};
Metadata to_metadata(const ModelInfo& info);
// A network's side of it; names, mean and std stay as they are by default. And back: the network for square images.
ModelInfo describe(const model::NetworkOptions& network, const std::string& recipe);
model::NetworkOptions network_of(const ModelInfo& info);
// Empty if the file says nothing of the network; FileFormatError if what it says makes no sense: no such network, or a mean and
// deviation that nothing can be normalised with.
std::optional<ModelInfo> model_info(const SafetensorsFile& file);

// A store as the tensors of a file; `steps` becomes num_batches_tracked of every batch norm.
struct StateDict {
  std::vector<std::vector<float>> numbers;
  std::vector<std::int64_t> tracked;
  std::vector<TensorView> tensors;  // of the numbers above
};
StateDict state_dict(const engine::ParameterStore& store, std::int64_t steps);
// The largest num_batches_tracked of a file; 0 where it has none.
std::int64_t steps_of(const SafetensorsFile& file);

// Atomic.
void save_weights(const std::filesystem::path& path, const ModelInfo& info,
                  const engine::ParameterStore& store, std::int64_t steps);

// How the tensors of a file and of a store fit, by name; each sorted.
struct LoadReport {
  std::vector<std::string> matched;
  std::vector<std::string> missing;     // in the store, not in the file
  std::vector<std::string> ignored;     // in the file, not in the store
  std::vector<std::string> mismatched;  // in both, of different shapes: "fc4.weight (1000,512), not (10,512)"
};
// Fills values and running statistics, from F32, F64, F16 or BF16. What torchvision calls fc is our fc4. A tensor of another type, or
// with a number that is not finite or a variance below 0, is a FileFormatError; one that is missing or of another shape is too, unless
// `partial`: then it keeps its value and is reported.
LoadReport load_weights(const SafetensorsFile& file, engine::ParameterStore& store, bool partial = false);
}  // namespace autodidact::train
