#include "model/exit_branch.hpp"

#include <fmt/format.h>

#include "ops/multiply.hpp"
#include "ops/sigmoid.hpp"
#include "ops/upsample.hpp"

namespace autodidact::model {
using engine::apply, engine::Graph, engine::Shape, engine::ValueId;

namespace {

constexpr int kStages = 4;

ValueId separable_convolution(Graph& graph, const std::string& name, ValueId x,
                              std::int64_t channels) {
  const auto op = [&](int index) { return fmt::format("{}.op.{}", name, index); };
  const std::int64_t c = graph.value(x).shape[1];
  x = convolution(graph, op(0), x, {.channels = c, .stride = 2, .groups = c});
  x = convolution(graph, op(1), x, {.channels = c, .kernel = 1});
  x = relu(graph, op(3), batch_norm(graph, op(2), x));
  x = convolution(graph, op(4), x, {.channels = c, .groups = c});
  x = convolution(graph, op(5), x, {.channels = channels, .kernel = 1});
  return relu(graph, op(7), batch_norm(graph, op(6), x));
}

ValueId attention(Graph& graph, const std::string& name, ValueId stage) {
  const Shape shape = graph.value(stage).shape;
  ValueId a = separable_convolution(graph, name + ".0", stage, shape[1]);
  a = relu(graph, name + ".2", batch_norm(graph, name + ".1", a));
  a = apply(graph, name + ".3", ops::Upsample(shape[2], shape[3]), {a});
  a = apply(graph, name + ".4", ops::Sigmoid(), {a});
  return apply(graph, name + ".gate", ops::Multiply(), {stage, a});
}
}  // namespace

Exit exit_branch(Graph& graph, int k, ValueId stage, std::int64_t classes, Pooling pooling) {
  const auto scope = graph.exit(k);
  ValueId x = attention(graph, fmt::format("attention{}", k), stage);
  for (int i = 0; i < kStages - k; ++i)
    x = separable_convolution(graph, fmt::format("scala{}.{}", k, i), x,
                              2 * graph.value(x).shape[1]);
  const ValueId feature = pool(graph, fmt::format("scala{}.pool", k), x, pooling);
  graph.checkpoint(feature);
  return {feature, linear(graph, fmt::format("fc{}", k), feature, classes), {}};
}
}  // namespace autodidact::model
