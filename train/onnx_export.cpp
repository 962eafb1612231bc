#include "train/onnx_export.hpp"

#include <fmt/format.h>

#include <bit>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/compile/cut.hpp"
#include "train/atomic_file.hpp"
#include "train/onnx_nodes.hpp"

namespace autodidact::train {
using engine::Section, engine::Slot, engine::Source, engine::Value, engine::ValueId;

namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");
constexpr int kOnnxVersion = 8;  // of the format: the first that operator set 15 belongs to
constexpr const char* kBatch = "batch";

// What the wanted exits depend on, in order; for any batch, as the first extent is not written.
engine::Graph network_graph(const ModelInfo& info, int exit) {
  model::NetworkOptions options = network_of(info);
  options.adaptation.clear();
  engine::Graph graph;
  model::build_network(graph, options, 1);
  engine::CompileOptions wanted;
  wanted.gradients = false;
  for (int k = 1; k <= model::kExits; ++k) {
    const std::string name = fmt::format("logits/{}", k);
    if ((exit == kAllExits || exit == k) && graph.outputs().contains(name)) wanted.outputs.push_back(name);
  }
  if (wanted.outputs.empty()) throw std::invalid_argument(fmt::format("the network has no exit {}", exit));
  return engine::compile_passes::cut(graph, wanted);
}

class OnnxModel {
 public:
  OnnxModel(const engine::Graph& graph, const engine::ParameterStore& store) : graph_(graph), store_(store) {
    for (const auto& [name, id] : graph.outputs()) names_[id] = "logits" + name.substr(name.rfind('/') + 1);
    describe();
    add_values();
    for (const engine::Node& node : graph.nodes()) add_node(node);
    for (const auto& [name, id] : graph.outputs()) declare(*body().add_output(), id);
  }

  void describe_network(const Metadata& metadata) {
    for (const auto& [key, value] : metadata) {
      onnx::StringStringEntryProto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    }
  }

  std::string bytes() const { return model_.SerializeAsString(); }

 private:
  onnx::GraphProto& body() { return *model_.mutable_graph(); }

  void describe() {
    model_.set_ir_version(kOnnxVersion);
    model_.set_producer_name("autodidact");
    model_.add_opset_import()->set_version(kOnnxOperatorSet);
    body().set_name("network");
  }

  std::string name_of(ValueId id) const {
    const auto renamed = names_.find(id);
    return renamed == names_.end() ? graph_.value(id).name : renamed->second;
  }

  void add_values() {
    for (std::size_t v = 0; v < graph_.values().size(); ++v) {
      const ValueId id{static_cast<std::int32_t>(v)};
      const Value& value = graph_.value(id);
      if (value.source == Source::input) declare(*body().add_input(), id);
      if (value.source == Source::parameter) add_weights(Section::values, store_.layout().parameter(value.name), value);
      if (value.source == Source::state) add_weights(Section::states, store_.layout().state(value.name), value);
    }
  }

  void add_weights(Section section, const Slot* slot, const Value& value) {
    if (!slot || slot->shape != value.shape)
      throw std::invalid_argument(fmt::format("the weights have no {} {}", value.name, value.shape.text()));
    const std::vector<double> wide = store_.get(section, *slot);
    const std::vector<float> numbers(wide.begin(), wide.end());
    onnx::TensorProto& tensor = *body().add_initializer();
    tensor.set_name(value.name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (int axis = 0; axis < value.shape.rank(); ++axis) tensor.add_dims(value.shape[axis]);
    tensor.set_raw_data(numbers.data(), numbers.size() * sizeof(float));
  }

  // An input or output of the whole network.
  void declare(onnx::ValueInfoProto& info, ValueId id) const {
    info.set_name(name_of(id));
    onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param(kBatch);
    const engine::Shape& shape = graph_.value(id).shape;
    for (int axis = 1; axis < shape.rank(); ++axis) type.mutable_shape()->add_dim()->set_dim_value(shape[axis]);
  }

  void add_node(const engine::Node& node) {
    OnnxNode onnx{.op = *node.op, .name = node.name, .inputs = {}, .shapes = {}, .output = name_of(node.outputs.front()), .graph = body()};
    for (const ValueId id : node.inputs) {
      onnx.inputs.push_back(name_of(id));
      onnx.shapes.push_back(graph_.value(id).shape);
    }
    translate(onnx);
  }

  const engine::Graph& graph_;
  const engine::ParameterStore& store_;
  std::map<ValueId, std::string> names_;
  onnx::ModelProto model_;
};

// Of protobuf, whose lengths are signed 32-bit numbers; what is not weights is small.
void require_size(const engine::Graph& graph) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max() - (std::int64_t{16} << 20);
  std::int64_t bytes = 0;
  for (const Value& value : graph.values())
    if (value.source == Source::parameter || value.source == Source::state) bytes += value.shape.count() * static_cast<std::int64_t>(sizeof(float));
  if (bytes > kLargest)
    throw std::invalid_argument(fmt::format("an ONNX file holds at most 2 GB, the weights have {:.1f}", static_cast<double>(bytes) / 1e9));
}
}  // namespace

void write_onnx(const std::filesystem::path& path, const ModelInfo& info, const engine::ParameterStore& store, int exit) {
  const engine::Graph graph = network_graph(info, exit);
  require_size(graph);
  OnnxModel model(graph, store);
  model.describe_network(to_metadata(info));
  write_file_atomically(path, model.bytes());
}
}  // namespace autodidact::train
