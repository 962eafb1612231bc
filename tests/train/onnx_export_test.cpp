// Exported files before the eyes of ONNX's own checker and its own inference of shapes; their numbers are compared with onnxruntime by
// tests/oracle/check_onnx.py.
#include "train/onnx_export.hpp"

#include <doctest/doctest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "engine/op.hpp"
#include "model/initialise.hpp"
#include "tests/train/scratch.hpp"

using namespace autodidact;
using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {

constexpr std::int64_t kBatch = 3;  // any

engine::Graph graph_of(const ModelInfo& info) {
  engine::Graph graph;
  model::build_network(graph, network_of(info), kBatch);
  return graph;
}

engine::ParameterStore store_of(const ModelInfo& info) {
  engine::ParameterStore store(std::make_shared<const engine::ParameterLayout>(graph_of(info)), engine::DType::f32, false);
  model::initialise(store, 1);
  return store;
}

onnx::ModelProto exported(const ModelInfo& info, int exit = kAllExits) {
  const ScratchDirectory folder;
  write_onnx(folder / "m.onnx", info, store_of(info), exit);
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(read_text(folder / "m.onnx")));
  return model;
}

// "batch,3,32,32"; "?" for an extent that is not known.
std::string text_of(const onnx::ValueInfoProto& info) {
  std::string text;
  for (const auto& extent : info.type().tensor_type().shape().dim()) {
    if (!text.empty()) text += ',';
    text += extent.has_dim_value() ? std::to_string(extent.dim_value()) : extent.dim_param().empty() ? "?" : extent.dim_param();
  }
  return text;
}

std::string text_of(const engine::Shape& shape) {
  std::string text;
  for (int axis = 0; axis < shape.rank(); ++axis) text += (axis ? "," : "") + std::to_string(shape[axis]);
  return text;
}

ModelInfo narrow(const std::string& model, int width = 4) {
  ModelInfo info;
  info.model = model;
  info.width = width;
  return info;
}

std::vector<ModelInfo> networks() {
  std::vector<ModelInfo> all;
  for (const auto& architecture : model::architectures())
    all.push_back(narrow(std::string(architecture.name), architecture.name.starts_with("resnext50") ? 16 : 8));
  ModelInfo odd = narrow("resnet18");
  odd.side = 37;
  odd.channels = 1;
  ModelInfo large = narrow("resnet50");
  large.stem = "imagenet";
  large.side = 75;
  ModelInfo dilated = narrow("resnet50");
  dilated.dilated_stages = {3, 4};
  ModelInfo baseline = narrow("resnet18");
  baseline.recipe = "baseline";
  ModelInfo compat = narrow("resnet18");
  compat.pooling = "window";
  compat.side = 40;
  all.insert(all.end(), {odd, large, dilated, baseline, compat});
  return all;
}

std::set<std::string> names(const auto& values) {
  std::set<std::string> all;
  for (const auto& value : values) all.insert(value.name());
  return all;
}
}  // namespace

TEST_CASE("onnx: every network is valid, and ONNX infers the shape of every value that we compute") {
  for (const ModelInfo& info : networks()) {
    CAPTURE(info.model);
    CAPTURE(info.side);
    onnx::ModelProto model = exported(info);
    CHECK_NOTHROW(onnx::checker::check_model(model));
    REQUIRE(model.graph().input_size() == 1);
    CHECK(model.graph().input(0).name() == "images");
    CHECK(text_of(model.graph().input(0)) == "batch," + text_of(engine::Shape{info.channels, info.side, info.side}));
    for (const auto& output : model.graph().output()) CHECK(text_of(output) == "batch," + std::to_string(info.classes));

    // The types that are declared may not help: what is compared is inferred from the images alone, for some batch.
    auto& batch = *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0);
    batch.set_dim_value(kBatch);
    for (auto& output : *model.mutable_graph()->mutable_output()) output.mutable_type()->mutable_tensor_type()->clear_shape();
    const onnx::ShapeInferenceOptions strict(true, 1, true);
    REQUIRE_NOTHROW(onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), strict));
    std::map<std::string, std::string> inferred;
    for (const auto& value : model.graph().value_info()) inferred[value.name()] = text_of(value);
    for (const auto& value : model.graph().output()) inferred[value.name()] = text_of(value);
    const engine::Graph graph = graph_of(info);
    std::map<engine::ValueId, std::string> renamed;
    for (const auto& [name, id] : graph.outputs())
      if (name.starts_with("logits/")) renamed[id] = "logits" + name.substr(7);
    std::map<std::string, std::string> planes;  // the size that Resize is told; Debian's ONNX does not follow it, and nor the sigmoid behind
    for (const auto& tensor : model.graph().initializer())
      if (tensor.int64_data_size() == 2) planes[tensor.name()] = text_of({tensor.int64_data(0), tensor.int64_data(1)});
    for (const engine::Node& node : graph.nodes()) {
      if (node.name.starts_with("adaptation_layers.") || node.op->kind() == "sigmoid") continue;
      const engine::ValueId id = node.outputs.front();
      const engine::Shape& shape = graph.value(id).shape;
      CAPTURE(node.name);
      if (node.op->kind() == "upsample") {
        CHECK(planes[node.name + "/plane"] == text_of({shape[2], shape[3]}));
        continue;
      }
      CHECK(inferred[renamed.contains(id) ? renamed[id] : node.name] == text_of(shape));
    }
    CHECK(names(model.graph().output()).size() == (info.recipe == "baseline" ? 1 : 4));
  }
}

TEST_CASE("onnx: weights and running statistics are the initialisers, bit for bit; metadata are those of the weights") {
  ModelInfo info = narrow("resnet18");
  info.class_names = {"a", "b"};
  info.mean = {.1F, .2F, .3F};
  info.std = {1, 2, 3};
  const engine::ParameterStore store = store_of(info);
  const onnx::ModelProto model = exported(info);
  std::map<std::string, std::string> bytes;
  for (const auto& tensor : model.graph().initializer()) bytes[tensor.name()] = tensor.raw_data();
  const StateDict dict = state_dict(store, 0);
  for (const TensorView& tensor : dict.tensors) {
    if (tensor.type != FileType::f32 || tensor.name.starts_with("adaptation_layers.")) continue;
    CAPTURE(tensor.name);
    CHECK(bytes[tensor.name] == std::string(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()));
  }
  CHECK_FALSE(bytes.contains("adaptation_layers.1.weight"));
  Metadata metadata;
  for (const auto& entry : model.metadata_props()) metadata[entry.key()] = entry.value();
  CHECK(metadata == to_metadata(info));
}

TEST_CASE("onnx: one exit has its own output and nothing that it does not need") {
  const onnx::ModelProto model = exported(narrow("resnet18"), 2);
  CHECK_NOTHROW(onnx::checker::check_model(model));
  CHECK(names(model.graph().output()) == std::set<std::string>{"logits2"});
  for (const std::string& name : names(model.graph().initializer())) {
    CAPTURE(name);
    CHECK_FALSE((name.starts_with("layer3.") || name.starts_with("attention1.") || name.starts_with("fc4.")));
  }
  ModelInfo baseline = narrow("resnet18");
  baseline.recipe = "baseline";
  CHECK(message_of<std::invalid_argument>([&] { (void)exported(baseline, 2); }) == "the network has no exit 2");
}

TEST_CASE("onnx: weights beyond what the format can hold are refused before anything is made of them") {
  ModelInfo info = narrow("wide_resnet101_2", 512);
  const ScratchDirectory folder;
  const engine::ParameterStore other = store_of(narrow("resnet18"));
  CHECK(message_of<std::invalid_argument>([&] { write_onnx(folder / "m", info, other); }).starts_with("an ONNX file holds at most 2 GB"));
  CHECK(folder.names().empty());
}
