// differentiate: list the passes of a step. Forward in graph order, then backward in reverse, only where a parameter (or an
// input that the caller asked for) needs it, then the commits of running statistics.
#include <algorithm>

#include "engine/compile/draft.hpp"

namespace autodidact::engine::compile_passes {
namespace {

std::vector<bool> values_that_need_gradients(const Draft& draft) {
  const Graph& graph = draft.graph;
  const auto& wanted = draft.options.differentiate;
  std::vector<bool> needs(graph.values().size(), false);
  if (!draft.options.gradients) return needs;
  for (std::size_t v = 0; v < needs.size(); ++v) {
    const Value& value = graph.values()[v];
    if (value.source == Source::parameter) needs[v] = true;
    if (value.source == Source::input)
      needs[v] = std::find(wanted.begin(), wanted.end(), value.name) != wanted.end();
    if (value.source != Source::node) continue;
    const Node& node = graph.node(value.producer);
    const auto ports = node.op->inputs();
    for (std::size_t i = 0; i < ports.size(); ++i)
      if (ports[i].differentiable && needs[static_cast<std::size_t>(node.inputs[i].index)]) needs[v] = true;
  }
  return needs;
}
}  // namespace

void differentiate(Draft& draft) {
  const Graph& graph = draft.graph;
  const auto node_id = [](std::size_t n) { return NodeId{static_cast<std::int32_t>(n)}; };
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) draft.steps.push_back({node_id(n), Pass::forward, {}, branch_of(draft, graph.nodes()[n], Pass::forward)});
  draft.needs_gradient = values_that_need_gradients(draft);

  std::vector<bool> has_gradient(graph.values().size(), false);
  const auto seed = [&](ValueId id) { has_gradient[static_cast<std::size_t>(id.index)] = true; };
  if (draft.options.gradients) {
    for (const std::string& name : draft.options.cotangents) seed(graph.outputs().at(name));
    if (draft.options.cotangents.empty() && graph.loss().valid()) seed(graph.loss());
  }
  for (std::size_t n = graph.nodes().size(); n-- > 0;) {
    const Node& node = graph.nodes()[n];
    const bool reached = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return has_gradient[static_cast<std::size_t>(id.index)];
    });
    if (!reached) continue;
    const auto ports = node.op->inputs();
    for (const BackwardTask& task : node.op->backward()) {
      Step step{node_id(n), task.pass, {}, branch_of(draft, node, task.pass)};
      for (const Operand& write : task.writes) {
        const ValueId input = node.inputs[static_cast<std::size_t>(write.index)];
        if (!draft.needs_gradient[static_cast<std::size_t>(input.index)] ||
            !ports[static_cast<std::size_t>(write.index)].differentiable)
          continue;
        step.writes.push_back(write);
        has_gradient[static_cast<std::size_t>(input.index)] = true;
      }
      if (!step.writes.empty()) draft.steps.push_back(std::move(step));
    }
  }
  if (draft.options.mode != Mode::train) return;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n)
    if (graph.nodes()[n].op->updates_state()) draft.steps.push_back({node_id(n), Pass::commit, {}, branch_of(draft, graph.nodes()[n], Pass::commit)});
}
}  // namespace autodidact::engine::compile_passes
