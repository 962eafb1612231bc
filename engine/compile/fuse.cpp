// fuse: replace patterns of nodes by one node whose op does their work in fewer sweeps. Only the forward graph is looked at; a
// fused op brings its own backward.
#include <algorithm>
#include <set>

#include "engine/compile/draft.hpp"
#include "engine/compile/graph_copy.hpp"

namespace autodidact::engine::compile_passes {
namespace {

// Every value inside the pattern, but the root's, must be invisible from outside it.
bool hides_nothing(const Graph& graph, const Rewrite& rewrite, const std::set<ValueId>& visible) {
  const auto covered = [&](NodeId id) {
    return std::find(rewrite.covers.begin(), rewrite.covers.end(), id) != rewrite.covers.end();
  };
  for (const NodeId id : rewrite.covers) {
    if (id == rewrite.covers.back()) continue;
    for (const ValueId value : graph.node(id).outputs) {
      if (visible.contains(value)) return false;
      for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
        const Node& node = graph.nodes()[n];
        const bool reads = std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end();
        if (reads && !covered({static_cast<std::int32_t>(n)})) return false;
      }
    }
  }
  return true;
}

std::string label_of(const Graph& graph, const std::vector<NodeId>& covers) {
  std::string label;
  for (const NodeId id : covers) label += (label.empty() ? "" : " + ") + graph.node(id).name;
  return label;
}
}  // namespace

Graph fuse(const Graph& graph, const CompileOptions& options) {
  std::set<ValueId> visible;
  for (const auto& [name, id] : graph.outputs()) visible.insert(id);

  // Later roots first: the longest pattern ends last.
  std::vector<std::optional<Rewrite>> rewrites(graph.nodes().size());
  std::set<NodeId> gone;
  for (std::size_t n = graph.nodes().size(); n-- > 0;) {
    const NodeId root{static_cast<std::int32_t>(n)};
    if (gone.contains(root)) continue;
    for (const FusionRule* rule : options.fusions) {
      auto rewrite = rule->match(graph, root, options.mode);
      if (!rewrite || !hides_nothing(graph, *rewrite, visible)) continue;
      if (options.gradients && rewrite->op->backward().empty()) continue;
      if (std::any_of(rewrite->covers.begin(), rewrite->covers.end(),
                      [&](NodeId id) { return gone.contains(id); }))
        continue;
      gone.insert(rewrite->covers.begin(), rewrite->covers.end());
      rewrites[n] = std::move(rewrite);
      break;
    }
  }

  GraphCopy copy(graph);
  for (std::size_t v = 0; v < graph.values().size(); ++v) {
    const Value& value = graph.values()[v];
    const ValueId id{static_cast<std::int32_t>(v)};
    if (value.source != Source::node) {
      copy.keep(id);
      continue;
    }
    if (value.output != 0) continue;
    const auto n = static_cast<std::size_t>(value.producer.index);
    if (rewrites[n])
      copy.replace_node(value.producer, rewrites[n]->op, rewrites[n]->inputs,
                        label_of(graph, rewrites[n]->covers));
    else if (!gone.contains(value.producer))
      copy.keep_node(value.producer);
  }
  for (const auto& [name, id] : graph.outputs()) copy.graph().output(name, copy.mapped(id));
  if (graph.loss().valid()) copy.graph().loss(copy.mapped(graph.loss()));
  return std::move(copy.graph());
}
}  // namespace autodidact::engine::compile_passes
