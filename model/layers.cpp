#include "model/layers.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "ops/average_pool.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution.hpp"
#include "ops/global_average.hpp"
#include "ops/linear.hpp"
#include "ops/relu.hpp"

namespace autodidact::model {
using engine::apply, engine::Graph, engine::Shape, engine::ValueId;

ValueId convolution(Graph& graph, const std::string& name, ValueId x,
                    const ConvolutionShape& shape) {
  const std::int64_t padding = shape.dilation * (shape.kernel - 1) / 2;
  const ValueId w = graph.parameter(
      name + ".weight",
      {shape.channels, graph.value(x).shape[1] / shape.groups, shape.kernel, shape.kernel});
  return apply(graph, name,
               ops::Convolution({.groups = shape.groups,
                                 .stride_h = shape.stride,
                                 .stride_w = shape.stride,
                                 .pad_h = padding,
                                 .pad_w = padding,
                                 .dilation_h = shape.dilation,
                                 .dilation_w = shape.dilation}),
               {x, w});
}

ValueId batch_norm(Graph& graph, const std::string& name, ValueId x) {
  const Shape channels{graph.value(x).shape[1]};
  const ValueId gamma = graph.parameter(name + ".weight", channels);
  const ValueId beta = graph.parameter(name + ".bias", channels);
  const ValueId mean = graph.state(name + ".running_mean", channels);
  const ValueId variance = graph.state(name + ".running_var", channels);
  return apply(graph, name, ops::BatchNorm(ops::BatchNormOptions{}, ops::Tail::none),
               {x, gamma, beta, mean, variance});
}

ValueId relu(Graph& graph, const std::string& name, ValueId x) {
  return apply(graph, name, ops::Relu(), {x});
}

ValueId linear(Graph& graph, const std::string& name, ValueId x, std::int64_t features) {
  const ValueId w = graph.parameter(name + ".weight", {features, graph.value(x).shape[1]});
  const ValueId b = graph.parameter(name + ".bias", {features});
  return apply(graph, name, ops::Linear(), {x, w, b});
}

ValueId pool(Graph& graph, const std::string& name, ValueId x, Pooling pooling) {
  if (pooling == Pooling::global) return apply(graph, name, ops::GlobalAverage(), {x});
  constexpr std::int64_t kWindow = 4;
  const Shape& plane = graph.value(x).shape;
  for (const int axis : {2, 3})
    if (plane[axis] / kWindow != 1)
      throw std::invalid_argument(fmt::format(
          "[{}] the seed's 4x4 pooling needs planes of 4 to 7 pixels a side, got {}x{}; global "
          "pooling takes any",
          name, plane[2], plane[3]));
  return apply(graph, name, ops::AveragePool(kWindow, kWindow, 0, true), {x});
}
}  // namespace autodidact::model
