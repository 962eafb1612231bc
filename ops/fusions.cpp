#include "ops/fusions.hpp"

#include <algorithm>
#include <array>

#include "ops/add.hpp"
#include "ops/attention_gate.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution_batch_norm.hpp"
#include "ops/relu.hpp"

namespace autodidact::ops {
using engine::FusionRule, engine::Graph, engine::Mode, engine::Node, engine::NodeId,
    engine::Rewrite;
using engine::ValueId;

namespace {

template <class O>
const O* op_of(const Graph& graph, NodeId node) {
  return node.valid() ? dynamic_cast<const O*>(graph.node(node).op.get()) : nullptr;
}

// Read once, by one node, and by nobody outside the graph.
bool used_once(const Graph& graph, ValueId value) {
  std::ptrdiff_t uses = graph.loss() == value ? 1 : 0;
  for (const Node& node : graph.nodes())
    uses += std::count(node.inputs.begin(), node.inputs.end(), value);
  for (const auto& [name, output] : graph.outputs()) uses += output == value ? 1 : 0;
  return uses == 1;
}

// The producer of `value` if it is a batch norm without a tail that can vanish into its consumer.
const BatchNorm* vanishing_batch_norm(const Graph& graph, ValueId value) {
  const auto* op = op_of<BatchNorm>(graph, graph.value(value).producer);
  return op != nullptr && op->tail == Tail::none && used_once(graph, value) ? op : nullptr;
}
}  // namespace

std::optional<Rewrite> BatchNormReluRule::match(const Graph& graph, NodeId root, Mode) const {
  if (op_of<Relu>(graph, root) == nullptr) return {};
  const ValueId normalised = graph.node(root).inputs[0];
  const BatchNorm* op = vanishing_batch_norm(graph, normalised);
  if (op == nullptr) return {};
  const NodeId node = graph.value(normalised).producer;
  return Rewrite{{node, root},
                 std::make_shared<const BatchNorm>(op->options, Tail::relu),
                 graph.node(node).inputs};
}

std::optional<Rewrite> BatchNormAddReluRule::match(const Graph& graph, NodeId root, Mode) const {
  if (op_of<Relu>(graph, root) == nullptr) return {};
  const ValueId sum = graph.node(root).inputs[0];
  const NodeId add = graph.value(sum).producer;
  if (op_of<Add>(graph, add) == nullptr || !used_once(graph, sum)) return {};
  const auto& terms = graph.node(add).inputs;
  for (const std::size_t i : {0, 1}) {
    const BatchNorm* op = vanishing_batch_norm(graph, terms[i]);
    if (op == nullptr) continue;
    const NodeId node = graph.value(terms[i]).producer;
    std::vector<ValueId> inputs = graph.node(node).inputs;
    inputs.push_back(terms[1 - i]);
    return Rewrite{
        {node, add, root}, std::make_shared<const BatchNorm>(op->options, Tail::add_relu), inputs};
  }
  return {};
}

namespace {
// Of a batch norm without or with a tail, whatever nodes it covers: the same with the convolution in front of it.
std::optional<Rewrite> with_convolution(const Graph& graph, Rewrite normalised) {
  const auto* norm = dynamic_cast<const BatchNorm*>(normalised.op.get());
  const ValueId x = normalised.inputs[BatchNorm::kX];
  const NodeId node = graph.value(x).producer;
  const auto* convolution = op_of<Convolution>(graph, node);
  if (convolution == nullptr || !used_once(graph, x)) return {};
  Rewrite folded{{node}, std::make_shared<const ConvolutionBatchNorm>(convolution->geometry, norm->options.epsilon, norm->tail),
                 graph.node(node).inputs};
  folded.covers.insert(folded.covers.end(), normalised.covers.begin(), normalised.covers.end());
  folded.inputs.insert(folded.inputs.end(), normalised.inputs.begin() + BatchNorm::kGamma, normalised.inputs.end());
  return folded;
}
}  // namespace

std::optional<Rewrite> ConvolutionBatchNormRule::match(const Graph& graph, NodeId root, Mode mode) const {
  if (mode != Mode::infer) return {};
  if (auto rewrite = BatchNormAddReluRule().match(graph, root, mode)) return with_convolution(graph, *std::move(rewrite));
  if (auto rewrite = BatchNormReluRule().match(graph, root, mode)) return with_convolution(graph, *std::move(rewrite));
  const auto* norm = op_of<BatchNorm>(graph, root);
  if (norm == nullptr) return {};
  return with_convolution(graph, {{root}, graph.node(root).op, graph.node(root).inputs});
}

std::span<const FusionRule* const> fusion_rules() {
  static const BatchNormReluRule batch_norm_relu;
  static const BatchNormAddReluRule batch_norm_add_relu;
  static const AttentionGateRule attention_gate;
  static const ConvolutionBatchNormRule convolution_batch_norm;
  static const std::array<const FusionRule*, 4> rules{&convolution_batch_norm, &batch_norm_add_relu, &batch_norm_relu,
                                                      &attention_gate};
  return rules;
}
}  // namespace autodidact::ops
