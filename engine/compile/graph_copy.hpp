// engine/compile/graph_copy.hpp: builds a new Graph from parts of an old one. Internal to engine/compile.
#pragma once
#include <utility>
#include <vector>

#include "engine/graph.hpp"
#include "engine/op.hpp"

namespace autodidact::engine::compile_passes {

class GraphCopy {
 public:
  explicit GraphCopy(const Graph& from) : from_(from), map_(from.values().size()) {}

  Graph& graph() { return to_; }
  ValueId mapped(ValueId old) const { return map_[static_cast<std::size_t>(old.index)]; }

  // An input, parameter or state, as it is.
  void keep(ValueId old) {
    const Value& value = from_.value(old);
    if (value.source == Source::input) set(old, to_.input(value.name, value.shape, value.role));
    if (value.source == Source::parameter) set(old, to_.parameter(value.name, value.shape));
    if (value.source == Source::state) set(old, to_.state(value.name, value.shape));
  }
  // The output of a node becomes an input.
  void feed(ValueId old) {
    const Value& value = from_.value(old);
    set(old, to_.input(value.name, value.shape, value.role));
  }
  void keep_node(NodeId old) {
    const Node& node = from_.node(old);
    add(node, node.op, node.inputs, node.label);
  }
  // `root` with another op and other inputs: a fused node.
  void replace_node(NodeId root, std::shared_ptr<const Op> op, const std::vector<ValueId>& inputs,
                    std::string label) {
    add(from_.node(root), std::move(op), inputs, std::move(label));
  }

 private:
  void set(ValueId old, ValueId now) { map_[static_cast<std::size_t>(old.index)] = now; }
  void add(const Node& node, std::shared_ptr<const Op> op, const std::vector<ValueId>& inputs,
           std::string label) {
    std::vector<ValueId> mapped_inputs;
    for (const ValueId id : inputs) mapped_inputs.push_back(mapped(id));
    const auto scope = to_.exit(node.exit);
    const auto outputs = to_.add(node.name, std::move(op), std::move(mapped_inputs), std::move(label));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      set(node.outputs[i], outputs[i]);
      if (from_.value(node.outputs[i]).checkpoint) to_.checkpoint(outputs[i]);
    }
  }

  const Graph& from_;
  Graph to_;
  std::vector<ValueId> map_;
};
}  // namespace autodidact::engine::compile_passes
