// model/residual_block.hpp: y = ReLU(F(x) + shortcut(x)): a block learns what to add to its input.
//
// Source    He et al. 2016, arXiv:1512.03385, figures 2 and 5; groups as in ResNeXt, arXiv:1611.05431, figure 3c. The stride is
//           on the 3×3 of a bottleneck, as in torchvision ("ResNet v1.5"), not on its first 1×1.
//
// basic        conv1 3×3 (stride) · bn1 · relu1 · conv2 3×3 · bn2                                       → add → relu2
// bottleneck   conv1 1×1 · bn1 · relu1 · conv2 3×3 (stride, groups, dilation) · bn2 · relu2 · conv3 1×1 · bn3 → add → relu3
// shortcut     x itself where the shapes agree, else downsample.0 (1×1 convolution, stride) · downsample.1 (batch norm)
#pragma once
#include <cstdint>
#include <string>

#include "engine/graph.hpp"
#include "model/architecture.hpp"

namespace autodidact::model {

struct ResidualBlock {
  Block block = Block::basic;
  std::int64_t planes = 64;  // out channels = planes·expansion
  std::int64_t stride = 1;
  // Of the 3×3 of a bottleneck; its channels are groups · planes·width_per_group/64, which must be whole.
  std::int64_t groups = 1, width_per_group = 64, dilation = 1;
};

// (N,C,H,W) → (N,planes·expansion,⌈H/stride⌉,⌈W/stride⌉). `name` is the path: "layer2.0".
engine::ValueId residual_block(engine::Graph& graph, const std::string& name, engine::ValueId x,
                               const ResidualBlock& block);
}  // namespace autodidact::model
