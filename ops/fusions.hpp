// ops/fusions.hpp: the patterns of nodes that one op of ours does in fewer sweeps over memory.
//
//     relu(batch_norm(x))             → batch_norm_relu      ops/batch_norm.hpp
//     relu(batch_norm(x) + z)         → batch_norm_add_relu  the sum in either order
//     x · sigmoid(upsample(a))        → attention_gate       ops/attention_gate.hpp, the product in either order
//
// and in inference, in programs without gradients, each of the first two and
//     batch_norm(convolution(x))      → convolution_batch_norm, …_relu, …_add_relu     ops/convolution_batch_norm.hpp
//
// A pattern matches only where nobody else uses what lies inside it: no other node, no output of the graph. Give the list to
// CompileOptions::fusions.
#pragma once
#include <span>

#include "engine/op.hpp"

namespace autodidact::ops {

// All of them, alive as long as the process.
std::span<const engine::FusionRule* const> fusion_rules();

class BatchNormReluRule final : public engine::FusionRule {
 public:
  std::optional<engine::Rewrite> match(const engine::Graph& graph, engine::NodeId root,
                                       engine::Mode mode) const override;
};

// Where both terms are batch norms (a block with a projection shortcut) the first is taken, the other's output is z.
class BatchNormAddReluRule final : public engine::FusionRule {
 public:
  std::optional<engine::Rewrite> match(const engine::Graph& graph, engine::NodeId root,
                                       engine::Mode mode) const override;
};

// The convolution and its batch norm with what the rules above find behind it; Mode::infer only.
class ConvolutionBatchNormRule final : public engine::FusionRule {
 public:
  std::optional<engine::Rewrite> match(const engine::Graph& graph, engine::NodeId root,
                                       engine::Mode mode) const override;
};
}  // namespace autodidact::ops
