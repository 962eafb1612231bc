// What a file of weights says of its network, and its tensors: the bytes as a file, then as the JSON object of its metadata.
#include "train/weights.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/graph.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "train/errors.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::train;

std::shared_ptr<const engine::ParameterLayout> layout() {
  engine::Graph graph;
  (void)graph.parameter("fc.weight", {2, 3});
  (void)graph.state("bn.running_mean", {2});
  (void)graph.state("bn.running_var", {2});
  return std::make_shared<const engine::ParameterLayout>(graph);
}

void describe(const SafetensorsFile& file) {
  if (const auto info = model_info(file)) model::check(network_of(*info));
}

void load(const SafetensorsFile& file) {
  static const auto known = layout();
  engine::ParameterStore store(known, engine::DType::f32, false);
  (void)load_weights(file, store, true);
  for (const double variance : store.get(engine::Section::states, *known->state("bn.running_var")))
    if (!std::isfinite(variance) || variance < 0) fuzz::fail("a variance cannot be", std::to_string(variance));
}

Metadata metadata_of(std::string_view text) {
  Metadata metadata;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_object())
    for (const auto& [key, value] : json.items())
      if (value.is_string()) metadata[key] = value.get<std::string>();
  return metadata;
}
}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const auto path = folder.write("w.safetensors", {data, size});
  fuzz::parses_or_refuses<FileFormatError>([&] {
    const SafetensorsFile file = read_safetensors(path);
    fuzz::parses_or_refuses<FileFormatError>([&] { describe(file); });
    load(file);
  });
  fuzz::parses_or_refuses<FileFormatError>([&] { describe({path, metadata_of(fuzz::text_of({data, size})), {}}); });
  return 0;
}
