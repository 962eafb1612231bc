#include "train/weights.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "model/initialise.hpp"
#include "tests/train/scratch.hpp"
#include "train/errors.hpp"
#include "train/programs.hpp"

using namespace autodidact;
using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {
model::NetworkOptions unusual_network() {
  model::NetworkOptions network;
  network.model = "resnet50";
  network.classes = 5;
  network.channels = 1;
  network.image_height = network.image_width = 32;
  network.width = 4;
  network.stem = model::Stem::imagenet;
  network.groups = 2;
  network.width_per_group = 32;
  network.replace_stride_with_dilation = {false, true, true};
  network.adaptation = {1, 2, 3};
  return network;
}

engine::ParameterStore store_of(const model::NetworkOptions& network) {
  const auto layout = std::make_shared<const engine::ParameterLayout>(
      training_graph(network, model::recipe_by_name("seed"), 2));
  engine::ParameterStore store(layout, engine::DType::f32, false);
  model::initialise(store, 1);
  return store;
}
}  // namespace

TEST_CASE("weights: a file describes the whole network, and reading it gives that network again") {
  const ScratchDirectory scratch;
  const model::NetworkOptions network = unusual_network();
  const engine::ParameterStore store = store_of(network);
  ModelInfo info = describe(network, "seed");
  info.class_names = {"a", "b", "c", "d", "ef"};
  info.mean = {.5F};
  info.std = {.25F};
  info.validation_seed = 18446744073709551615U;
  info.resize = 37;
  save_weights(scratch / "w", info, store, 7);

  const SafetensorsFile file = read_safetensors(scratch / "w");
  const std::optional<ModelInfo> found = model_info(file);
  REQUIRE(found);
  CHECK(to_metadata(*found) == to_metadata(info));
  CHECK(found->resize == 37);
  const model::NetworkOptions again = network_of(*found);
  CHECK(again.model == network.model);
  CHECK(again.groups == network.groups);
  CHECK(again.width_per_group == network.width_per_group);
  CHECK(again.replace_stride_with_dilation == network.replace_stride_with_dilation);
  CHECK(again.adaptation == network.adaptation);
  CHECK((again.stem == network.stem && again.pooling == network.pooling &&
         again.width == network.width));
  CHECK(file.require("layer1.0.bn1.num_batches_tracked", FileType::i64, {})
            .values<std::int64_t>()[0] == 7);

  engine::ParameterStore loaded = store_of(network);
  const LoadReport report = load_weights(file, loaded);
  CHECK(report.ignored.empty());
  CHECK(report.missing.empty());

  SafetensorsFile older = file;
  older.metadata.erase("resize");
  CHECK_FALSE(model_info(older)->resize);
}

TEST_CASE("weights: a file without our metadata says nothing; class names may hold any bytes") {
  SafetensorsFile file;
  file.path = "elsewhere";
  CHECK_FALSE(model_info(file));
  ModelInfo info;
  info.classes = 2;
  info.class_names = {"caf\xe9", "tea"};  // Latin-1
  const Metadata metadata = to_metadata(info);
  CHECK(nlohmann::json::parse(metadata.at("class_names")).at(1) == "tea");
}

TEST_CASE("weights: the seed's pooling is part of what a file says") {
  model::NetworkOptions network;
  network.pooling = model::Pooling::seed_window;
  CHECK(describe(network, "seed").pooling == "window");
  CHECK(network_of(describe(network, "seed")).pooling == model::Pooling::seed_window);
}
