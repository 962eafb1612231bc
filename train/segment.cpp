#include "train/segment.hpp"

#include <fmt/format.h>

namespace autodidact::train {

engine::Graph segment_graph(const model::NetworkOptions& network, const Segment& segment, const SegmentOptions& options,
                            engine::CompileOptions& compile) {
  engine::Graph graph;
  const model::Network built = model::build_network(graph, network, options.batch);
  const auto stage = [&](int s) { return built.stages[static_cast<std::size_t>(s - 1)]; };
  if (segment.hands_on()) {
    graph.output(kHandedOn, stage(segment.to));
    compile.outputs.push_back(kHandedOn);
  }
  if (segment.head > 0) compile.outputs.push_back(fmt::format("logits/{}", segment.head));
  if (segment.from > 0) {
    const std::string& name = graph.value(stage(segment.from)).name;
    compile.feeds.push_back(name);
    if (options.feed) compile.feed_types[name] = *options.feed;
  }
  if (!options.lanes) compile.branches = engine::Branches::in_turn;
  return graph;
}
}  // namespace autodidact::train
