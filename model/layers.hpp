// model/layers.hpp: an op together with its parameters, named as PyTorch names a module: "NAME", "NAME.weight", "NAME.bias",
// "NAME.running_mean", "NAME.running_var".
#pragma once
#include <cstdint>
#include <string>

#include "engine/graph.hpp"

namespace autodidact::model {

struct ConvolutionShape {
  std::int64_t channels = 0;  // of the output
  std::int64_t kernel = 3;    // odd; padded so that stride 1 keeps the plane's size
  std::int64_t stride = 1;
  std::int64_t groups = 1;
  std::int64_t dilation = 1;
};

// (N,C,H,W) → (N,channels,⌈H/stride⌉,⌈W/stride⌉), without bias.
engine::ValueId convolution(engine::Graph& graph, const std::string& name, engine::ValueId x,
                            const ConvolutionShape& shape);
// Over N, H and W at fixed channel; ε = 1e-5, running statistics with momentum 0.1.
engine::ValueId batch_norm(engine::Graph& graph, const std::string& name, engine::ValueId x);
engine::ValueId relu(engine::Graph& graph, const std::string& name, engine::ValueId x);
// (N,F) → (N,features), with bias.
engine::ValueId linear(engine::Graph& graph, const std::string& name, engine::ValueId x,
                       std::int64_t features);

// global: the mean of the whole plane · seed_window: AvgPool(4,4), floor, as the seed's program has it: the whole plane of
// 4×4 pixels, but only the top left 4×4 of a larger one.
enum class Pooling : std::uint8_t { global, seed_window };
// (N,C,H,W) → (N,C). Throws std::invalid_argument if the seed's window makes more or less than one pixel of the plane.
engine::ValueId pool(engine::Graph& graph, const std::string& name, engine::ValueId x,
                     Pooling pooling);
}  // namespace autodidact::model
