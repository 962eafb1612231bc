// engine/graph.hpp: what is computed, by name; nothing about how.
//
// A Graph is a list of Nodes in the order in which they were added (so it is in topological order), joined by Values.
// A Value comes from a node, or from outside: an input (a batch, labels, a scalar that changes from step to step), a
// parameter (learned, has a gradient), or a state (BN running statistics, no gradient). The shapes are concrete, the
// batch included. Every error is a std::invalid_argument in one sentence with the name of the node and the numbers.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/shape.hpp"

namespace autodidact::engine {
class Op;

template <class Tag>
struct Id {
  std::int32_t index = -1;
  bool valid() const { return index >= 0; }
  auto operator<=>(const Id&) const = default;
};
using ValueId = Id<struct ValueTag>;
using NodeId = Id<struct NodeTag>;

enum class Source : std::uint8_t { node, input, parameter, state };

struct Value {
  std::string name;  // of its node; "NODE:1" for a second output
  Shape shape;
  Role role = Role::activation;
  Source source = Source::node;
  NodeId producer;
  int output = 0;  // which output of the producer
  bool checkpoint = false;  // Graph::checkpoint
};

struct Node {
  std::string name;  // the module path: "scala1.0.op.1"
  std::shared_ptr<const Op> op;
  std::vector<ValueId> inputs, outputs;
  int exit = 0;       // 0 trunk, 1..4 branch: where the schedule may run it, and how it is printed
  std::string label;  // what a plan prints: the name, or "bn1 + relu" after fusion
};

class Graph {
 public:
  ValueId input(std::string name, Shape shape, Role role);
  ValueId parameter(std::string name, Shape shape);
  ValueId state(std::string name, Shape shape);

  // Adds a node; asks the op for the shapes of its outputs. Throws if a port does not fit or the name is taken.
  std::vector<ValueId> add(std::string name, std::shared_ptr<const Op> op,
                           std::vector<ValueId> inputs, std::string label = {});

  // What the caller wants to read after a run, under a name of its own ("logits/4"); and the scalar to differentiate.
  void output(std::string name, ValueId value);
  void loss(ValueId scalar) { loss_ = scalar; }

  // Where recomputation may start from: with Recompute::stage only these values are kept until backward.
  void checkpoint(ValueId value) { values_[static_cast<std::size_t>(value.index)].checkpoint = true; }

  // Nodes added while the scope lives belong to exit k.
  class [[nodiscard]] ExitScope {
   public:
    ExitScope(Graph& graph, int exit) : graph_(graph), before_(graph.exit_) { graph.exit_ = exit; }
    ~ExitScope() { graph_.exit_ = before_; }
    ExitScope(const ExitScope&) = delete;
    ExitScope& operator=(const ExitScope&) = delete;

   private:
    Graph& graph_;
    int before_;
  };
  static constexpr int kMostExits = 4;
  // Throws std::invalid_argument unless k is 0 (the trunk) to kMostExits.
  ExitScope exit(int k);

  std::span<const Node> nodes() const { return nodes_; }
  std::span<const Value> values() const { return values_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id.index)]; }
  const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id.index)]; }
  const std::map<std::string, ValueId>& outputs() const { return outputs_; }
  ValueId loss() const { return loss_; }
  ValueId find(std::string_view name) const;  // by the name of the value; invalid id if there is none

 private:
  ValueId add_value(Value value);

  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::map<std::string, ValueId, std::less<>> by_name_;
  std::map<std::string, ValueId> outputs_;
  ValueId loss_;
  int exit_ = 0;
};

// One op with one output: what model code writes.
template <class O>
ValueId apply(Graph& graph, std::string name, O op, std::vector<ValueId> inputs) {
  return graph.add(std::move(name), std::make_shared<const O>(std::move(op)), std::move(inputs))
      .front();
}
}  // namespace autodidact::engine
