#include "engine/graph.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "engine/op.hpp"

namespace autodidact::engine {

ValueId Graph::add_value(Value value) {
  const ValueId id{static_cast<std::int32_t>(values_.size())};
  if (!by_name_.emplace(value.name, id).second)
    throw std::invalid_argument(fmt::format("[{}] the graph already has a value of this name",
                                            value.name));
  values_.push_back(std::move(value));
  return id;
}

Graph::ExitScope Graph::exit(int k) {
  if (k < 0 || k > kMostExits) throw std::invalid_argument(fmt::format("exit {} is none of 0 (the trunk) to {}", k, kMostExits));
  return {*this, k};
}

ValueId Graph::input(std::string name, Shape shape, Role role) {
  return add_value({std::move(name), shape, role, Source::input, {}, 0});
}

ValueId Graph::parameter(std::string name, Shape shape) {
  return add_value({std::move(name), shape, Role::parameter, Source::parameter, {}, 0});
}

ValueId Graph::state(std::string name, Shape shape) {
  return add_value({std::move(name), shape, Role::statistic, Source::state, {}, 0});
}

std::vector<ValueId> Graph::add(std::string name, std::shared_ptr<const Op> op,
                                std::vector<ValueId> inputs, std::string label) {
  const auto ports = op->inputs();
  if (ports.size() != inputs.size())
    throw std::invalid_argument(fmt::format("[{} {}] takes {} inputs, got {}", op->kind(), name,
                                            ports.size(), inputs.size()));
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = this->value(inputs[i]);
    if (value.role != ports[i].role)
      throw std::invalid_argument(fmt::format("[{} {}] input {} must not be the value {}: it has another role",
                                              op->kind(), name, ports[i].name, value.name));
    shapes.push_back(value.shape);
  }
  const std::vector<Shape> produced = op->infer(name, shapes);
  const NodeId node{static_cast<std::int32_t>(nodes_.size())};
  std::vector<ValueId> outputs;
  for (int i = 0; i < static_cast<int>(produced.size()); ++i)
    outputs.push_back(add_value({i == 0 ? name : fmt::format("{}:{}", name, i),
                                 produced[static_cast<std::size_t>(i)], op->output_role(i),
                                 Source::node, node, i}));
  if (label.empty()) label = name;
  nodes_.push_back({std::move(name), std::move(op), std::move(inputs), outputs, exit_, std::move(label)});
  return outputs;
}

void Graph::output(std::string name, ValueId value) { outputs_[std::move(name)] = value; }

ValueId Graph::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? ValueId{} : found->second;
}
}  // namespace autodidact::engine
