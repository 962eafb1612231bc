#include "model/residual_block.hpp"

#include "model/layers.hpp"
#include "ops/add.hpp"

namespace autodidact::model {
using engine::Graph, engine::ValueId;

namespace {

ValueId basic_path(Graph& graph, const std::string& name, ValueId x, const ResidualBlock& block) {
  x = convolution(graph, name + ".conv1", x, {.channels = block.planes, .stride = block.stride});
  x = relu(graph, name + ".relu1", batch_norm(graph, name + ".bn1", x));
  x = convolution(graph, name + ".conv2", x, {.channels = block.planes});
  return batch_norm(graph, name + ".bn2", x);
}

ValueId bottleneck_path(Graph& graph, const std::string& name, ValueId x,
                        const ResidualBlock& block) {
  const std::int64_t inner = block.planes * block.width_per_group / 64 * block.groups;
  x = convolution(graph, name + ".conv1", x, {.channels = inner, .kernel = 1});
  x = relu(graph, name + ".relu1", batch_norm(graph, name + ".bn1", x));
  x = convolution(graph, name + ".conv2", x,
                  {.channels = inner,
                   .stride = block.stride,
                   .groups = block.groups,
                   .dilation = block.dilation});
  x = relu(graph, name + ".relu2", batch_norm(graph, name + ".bn2", x));
  const std::int64_t outer = block.planes * expansion_of(block.block);
  x = convolution(graph, name + ".conv3", x, {.channels = outer, .kernel = 1});
  return batch_norm(graph, name + ".bn3", x);
}
}  // namespace

ValueId residual_block(Graph& graph, const std::string& name, ValueId x,
                       const ResidualBlock& block) {
  const bool basic = block.block == Block::basic;
  const std::int64_t channels = block.planes * expansion_of(block.block);
  const ValueId path =
      basic ? basic_path(graph, name, x, block) : bottleneck_path(graph, name, x, block);
  ValueId shortcut = x;
  if (block.stride != 1 || graph.value(x).shape[1] != channels) {
    shortcut = convolution(graph, name + ".downsample.0", x,
                           {.channels = channels, .kernel = 1, .stride = block.stride});
    shortcut = batch_norm(graph, name + ".downsample.1", shortcut);
  }
  const ValueId sum = engine::apply(graph, name + ".add", ops::Add(), {path, shortcut});
  return relu(graph, name + (basic ? ".relu2" : ".relu3"), sum);
}
}  // namespace autodidact::model
