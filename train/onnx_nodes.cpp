#include "train/onnx_nodes.hpp"

#include <fmt/format.h>

#include <cstring>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string_view>

#include "ops/average_pool.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution.hpp"
#include "ops/max_pool.hpp"
#include "ops/upsample.hpp"

namespace autodidact::train {
namespace {

using Numbers = std::initializer_list<std::int64_t>;

onnx::NodeProto& add(const OnnxNode& node, const char* type, const std::string& name, const std::vector<std::string>& inputs,
                     const std::string& output) {
  onnx::NodeProto& added = *node.graph.add_node();
  added.set_op_type(type);
  added.set_name(name);
  for (const std::string& input : inputs) added.add_input(input);
  added.add_output(output);
  return added;
}

// A node of one ONNX node.
onnx::NodeProto& add(const OnnxNode& node, const char* type) { return add(node, type, node.name, node.inputs, node.output); }

onnx::AttributeProto& attribute(onnx::NodeProto& node, const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& added = *node.add_attribute();
  added.set_name(name);
  added.set_type(type);
  return added;
}
void set(onnx::NodeProto& node, const char* name, std::int64_t number) {
  attribute(node, name, onnx::AttributeProto::INT).set_i(number);
}
void set(onnx::NodeProto& node, const char* name, double number) {
  attribute(node, name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(number));
}
void set(onnx::NodeProto& node, const char* name, const char* text) {
  attribute(node, name, onnx::AttributeProto::STRING).set_s(text);
}
void set(onnx::NodeProto& node, const char* name, Numbers numbers) {
  onnx::AttributeProto& added = attribute(node, name, onnx::AttributeProto::INTS);
  for (const std::int64_t number : numbers) added.add_ints(number);
}

void convolution(const OnnxNode& node) {
  const ops::ConvolutionGeometry& geometry = static_cast<const ops::Convolution&>(node.op).geometry;
  const engine::Shape& weights = node.shapes[1];
  onnx::NodeProto& added = add(node, "Conv");
  set(added, "kernel_shape", {weights[2], weights[3]});
  set(added, "strides", {geometry.stride_h, geometry.stride_w});
  set(added, "pads", {geometry.pad_h, geometry.pad_w, geometry.pad_h, geometry.pad_w});
  set(added, "dilations", {geometry.dilation_h, geometry.dilation_w});
  set(added, "group", geometry.groups);
}

// Inputs in the order of ONNX: x, γ, β, μ̄, σ̄².
void batch_norm(const OnnxNode& node) {
  set(add(node, "BatchNormalization"), "epsilon", static_cast<const ops::BatchNorm&>(node.op).options.epsilon);
}

void linear(const OnnxNode& node) { set(add(node, "Gemm"), "transB", std::int64_t{1}); }

void window(onnx::NodeProto& node, const ops::PoolWindow& pool) {
  set(node, "kernel_shape", {pool.size, pool.size});
  set(node, "strides", {pool.stride, pool.stride});
  set(node, "pads", {pool.pad, pool.pad, pool.pad, pool.pad});
}

void max_pool(const OnnxNode& node) { window(add(node, "MaxPool"), static_cast<const ops::MaxPool&>(node.op).window); }

// A pool, and its planes as rows of numbers.
onnx::NodeProto& flattened(const OnnxNode& node, const char* type) {
  const std::string planes = node.name + "/planes";
  onnx::NodeProto& pool = add(node, type, planes, node.inputs, planes);
  set(add(node, "Flatten", node.name, {planes}, node.output), "axis", std::int64_t{1});
  return pool;
}

void average_pool(const OnnxNode& node) {
  const auto& op = static_cast<const ops::AveragePool&>(node.op);
  onnx::NodeProto& pool = op.flatten ? flattened(node, "AveragePool") : add(node, "AveragePool");
  window(pool, op.window);
  set(pool, "count_include_pad", std::int64_t{1});
}

void global_average(const OnnxNode& node) { flattened(node, "GlobalAveragePool"); }

// Resize takes the new size of all four axes, or factors, from which it would compute a size by rounding down: an odd plane could
// lose a pixel. So the first two are read off the input and the plane's are put behind them.
void upsample(const OnnxNode& node) {
  const auto& op = static_cast<const ops::Upsample&>(node.op);
  const std::string kept = node.name + "/batch_and_channels", plane = node.name + "/plane", size = node.name + "/size";
  onnx::TensorProto& constant = *node.graph.add_initializer();
  constant.set_name(plane);
  constant.set_data_type(onnx::TensorProto::INT64);
  constant.add_dims(2);
  constant.add_int64_data(op.height);
  constant.add_int64_data(op.width);
  onnx::NodeProto& shape = add(node, "Shape", kept, node.inputs, kept);
  set(shape, "start", std::int64_t{0});
  set(shape, "end", std::int64_t{2});
  set(add(node, "Concat", size, {kept, plane}, size), "axis", std::int64_t{0});
  onnx::NodeProto& resize = add(node, "Resize", node.name, {node.inputs[0], "", "", size}, node.output);
  set(resize, "mode", "linear");
  set(resize, "coordinate_transformation_mode", "half_pixel");
}

using Translation = void (*)(const OnnxNode&);

// An op that ONNX has under the same conditions.
template <const char* const& type>
void alike(const OnnxNode& node) {
  add(node, type);
}
constexpr const char *kRelu = "Relu", *kSigmoid = "Sigmoid", *kAdd = "Add", *kMultiply = "Mul";

const std::map<std::string_view, Translation>& translations() {
  static const std::map<std::string_view, Translation> table{{"convolution", convolution},
                                                             {"batch_norm", batch_norm},
                                                             {"linear", linear},
                                                             {"relu", alike<kRelu>},
                                                             {"sigmoid", alike<kSigmoid>},
                                                             {"add", alike<kAdd>},
                                                             {"multiply", alike<kMultiply>},
                                                             {"max_pool", max_pool},
                                                             {"average_pool", average_pool},
                                                             {"global_average", global_average},
                                                             {"upsample", upsample}};
  return table;
}
}  // namespace

void translate(const OnnxNode& node) {
  const auto found = translations().find(node.op.kind());
  if (found == translations().end())
    throw std::invalid_argument(fmt::format("[{} {}] has no translation into ONNX", node.op.kind(), node.name));
  found->second(node);
}
}  // namespace autodidact::train
