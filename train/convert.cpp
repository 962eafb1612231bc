#include "train/convert.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "model/initialise.hpp"
#include "model/recipe.hpp"
#include "train/errors.hpp"

namespace autodidact::train {
namespace {

constexpr std::string_view kAdaptation = "adaptation_layers.", kTeacherHead = "fc4.", kTorchvisionHead = "fc.";

// What the reader's module has, as ours.
ModelInfo info_for(Reader reader, ModelInfo info) {
  info.adaptation_exits.clear();
  if (reader == Reader::torchvision) info.recipe = "baseline";
  else if (!model::recipe_by_name(info.recipe).branches) info.recipe = "none";
  if (reader == Reader::seed_adaptation) info.adaptation_exits = {1, 2, 3};
  return info;
}

engine::ParameterStore store_for(const ModelInfo& info) {
  engine::Graph graph;
  model::build_network(graph, network_of(info), 1);
  return {std::make_shared<const engine::ParameterLayout>(graph), engine::DType::f32, false};
}
}  // namespace

Reader reader_by_name(std::string_view name) {
  if (name == "seed") return Reader::seed;
  if (name == "seed+adaptation") return Reader::seed_adaptation;
  if (name == "torchvision") return Reader::torchvision;
  throw std::invalid_argument(fmt::format("--for takes seed, seed+adaptation or torchvision, got {}", name));
}

Conversion convert_weights(const SafetensorsFile& file, const ModelInfo& info, Reader reader, std::uint64_t seed,
                           const std::filesystem::path& out) {
  const ModelInfo wanted = info_for(reader, info);
  engine::ParameterStore store = store_for(wanted);
  model::initialise(store, seed);
  LoadReport report = load_weights(file, store, true);
  Conversion conversion{.tensors = 0, .left_out = std::move(report.ignored), .made = {}};
  std::vector<std::string> lacking;
  for (std::string& name : report.missing) (name.starts_with(kAdaptation) ? conversion.made : lacking).push_back(std::move(name));
  if (!lacking.empty() || !report.mismatched.empty())
    throw FileFormatError(fmt::format("{} does not fit {}: {} tensors are missing and {} of another shape, first {}", file.path.string(),
                                      wanted.model, lacking.size(), report.mismatched.size(),
                                      lacking.empty() ? report.mismatched.front() : lacking.front()));
  StateDict dict = state_dict(store, steps_of(file));
  if (reader == Reader::torchvision)
    for (TensorView& tensor : dict.tensors)
      if (tensor.name.starts_with(kTeacherHead)) tensor.name.replace(0, kTeacherHead.size(), kTorchvisionHead);
  write_safetensors(out, to_metadata(wanted), dict.tensors);
  conversion.tensors = dict.tensors.size();
  return conversion;
}

engine::ParameterStore inference_store(const SafetensorsFile& file, const ModelInfo& info) {
  ModelInfo plain = info;
  plain.adaptation_exits.clear();
  engine::ParameterStore store = store_for(plain);
  (void)load_weights(file, store);
  return store;
}
}  // namespace autodidact::train
