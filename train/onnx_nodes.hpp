// train/onnx_nodes.hpp: what ONNX calls an op, as one table: kind → translation. Internal to the export (train/onnx_export.hpp).
//
// Source    https://onnx.ai/onnx/operators, operator set 15: the newest that Debian's checker and today's runtimes share, and the
//           first whose Shape takes a range.
//
//   convolution → Conv                batch_norm → BatchNormalization (inference)    linear → Gemm
//   relu → Relu                       sigmoid → Sigmoid                              add → Add     multiply → Mul
//   max_pool → MaxPool                average_pool → AveragePool, Flatten            global_average → GlobalAveragePool, Flatten
//   upsample → Resize to the size of the plane; the batch is read from the input (Shape, Concat), so it stays free
#pragma once
#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "engine/op.hpp"

namespace autodidact::train {

inline constexpr int kOnnxOperatorSet = 15;

// A node of the unfused graph, with the names that its values have in ONNX, and where its translation goes.
struct OnnxNode {
  const engine::Op& op;
  const std::string& name;
  std::vector<std::string> inputs;
  std::vector<engine::Shape> shapes;  // of the inputs
  std::string output;
  onnx::GraphProto& graph;
};

// Adds one ONNX node or several. Throws std::invalid_argument where an op, as one of the losses, has no translation.
void translate(const OnnxNode& node);
}  // namespace autodidact::train
