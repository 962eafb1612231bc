// cut: keep only what the wanted outputs and the loss depend on; a fed value becomes an input.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "engine/compile/draft.hpp"
#include "engine/compile/graph_copy.hpp"

namespace autodidact::engine::compile_passes {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void require_known(const Graph& graph, const CompileOptions& options) {
  for (const std::string& name : options.outputs)
    if (!graph.outputs().contains(name))
      throw std::invalid_argument(fmt::format("the graph has no output named {}", name));
  for (const std::string& name : options.feeds)
    if (!graph.find(name).valid())
      throw std::invalid_argument(fmt::format("the graph has no value named {} to feed", name));
  for (const auto& [name, type] : options.feed_types) {
    const ValueId id = graph.find(name);
    if (!contains(options.feeds, name) || graph.value(id).shape.rank() != 4)
      throw std::invalid_argument(fmt::format("{} has a type but is no value (N,C,H,W) that is fed", name));
  }
  for (const std::string& name : options.differentiate) {
    const ValueId id = graph.find(name);
    if (!id.valid() || graph.value(id).source != Source::input || graph.value(id).role == Role::label)
      throw std::invalid_argument(fmt::format("the graph has no input named {} to differentiate by", name));
  }
  for (const std::string& name : options.cotangents)
    if (!graph.outputs().contains(name))
      throw std::invalid_argument(fmt::format("the graph has no output named {} to take a gradient of", name));
}
}  // namespace

Graph cut(const Graph& graph, const CompileOptions& options) {
  require_known(graph, options);
  const bool wants_loss = options.gradients && options.cotangents.empty() && graph.loss().valid();
  if (wants_loss && graph.value(graph.loss()).shape.rank() != 0)
    throw std::invalid_argument(fmt::format("the loss {} must be a scalar, got {}", graph.value(graph.loss()).name,
                                            graph.value(graph.loss()).shape.text()));

  std::vector<bool> wanted(graph.values().size(), false);
  const auto want = [&](ValueId id) { wanted[static_cast<std::size_t>(id.index)] = true; };
  for (const auto& [name, id] : graph.outputs())
    if (options.outputs.empty() || contains(options.outputs, name) || contains(options.cotangents, name)) want(id);
  if (wants_loss) want(graph.loss());

  const auto fed = [&](ValueId id) { return contains(options.feeds, graph.value(id).name); };
  const auto nodes = graph.nodes();
  std::vector<bool> runs(nodes.size(), false);
  for (std::size_t n = nodes.size(); n-- > 0;) {
    for (const ValueId id : nodes[n].outputs)
      runs[n] = runs[n] || (wanted[static_cast<std::size_t>(id.index)] && !fed(id));
    if (runs[n])
      for (const ValueId id : nodes[n].inputs) want(id);
  }

  GraphCopy copy(graph);
  for (std::size_t v = 0; v < graph.values().size(); ++v) {
    const ValueId id{static_cast<std::int32_t>(v)};
    const Value& value = graph.value(id);
    if (!wanted[v]) continue;
    if (value.source != Source::node) copy.keep(id);
    else if (fed(id)) copy.feed(id);
    else if (value.output == 0) copy.keep_node(value.producer);
  }
  for (const auto& [name, id] : graph.outputs())
    if (options.outputs.empty() || contains(options.outputs, name) || contains(options.cotangents, name))
      copy.graph().output(name, copy.mapped(id));
  if (wants_loss) copy.graph().loss(copy.mapped(graph.loss()));
  return std::move(copy.graph());
}
}  // namespace autodidact::engine::compile_passes
