// model/network.hpp: a residual network with four exits, as an engine::Graph.
//
// Source    The trunk: model/architecture.hpp. The exits: model/exit_branch.hpp. Names are the state-dict names of torchvision
//           and of the published program: conv1, bn1, relu, maxpool, layerS.B.*, attentionK.*, scalaK.*, fcK,
//           adaptation_layers.I; parameters are declared in that order.
// Shapes    images (N,channels,height,width), any size from 8 px; stage s has width·2^(s−1)·expansion channels, and half the plane
//           of the stage before, rounded up; logits (N,classes); features (N,8·width·expansion).
// Errors    Every refusal is a std::invalid_argument in one sentence with the numbers.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/graph.hpp"
#include "model/architecture.hpp"
#include "model/exit_branch.hpp"
#include "model/layers.hpp"

namespace autodidact::model {

inline constexpr int kExits = 4;    // 1 = shallowest … 4 = deepest
inline constexpr int kTeacher = 4;  // the deepest exit teaches the others
inline constexpr std::int64_t kSmallestSide = 8;

// cifar: 3×3, stride 1 · imagenet: 7×7, stride 2, then max pooling 3×3, stride 2.
enum class Stem : std::uint8_t { cifar, imagenet };

struct NetworkOptions {
  std::string model = "resnet18";  // a name of architectures()
  std::int64_t classes = 100;
  std::int64_t channels = 3;                         // of the images
  std::int64_t image_height = 32, image_width = 32;  // pixels
  std::int64_t width = 64;                           // planes of the first stage; 64 = as published
  Stem stem = Stem::cifar;
  // In place of the architecture's; bottlenecks only.
  std::optional<std::int64_t> groups = {}, width_per_group = {};
  // Stages 2, 3, 4 keep their plane and dilate their 3×3 convolutions instead; bottlenecks only.
  std::array<bool, 3> replace_stride_with_dilation{};
  bool branches = true;  // false: trunk and fc4 alone
  // The exits k = 1 … 3 that have an adaptation layer, linear F→F on the feature: adaptation_layers.(3−k).
  std::vector<int> adaptation = {1, 2};
  Pooling pooling = Pooling::global;
};

struct Network {
  NetworkOptions options;
  engine::ValueId images;
  std::array<engine::ValueId, kExits> stages;  // what stage k hands on, to stage k+1 and to exit k: element k−1
  std::array<Exit, kExits> exits;
  const Exit& exit(int k) const { return exits[static_cast<std::size_t>(k - 1)]; }
};

// Throws what build_network would throw for these options, without a graph (but for the planes that the seed's pooling refuses).
void check(const NetworkOptions& options);

// Adds the network for a batch of `batch` images, input "images", and declares the outputs "logits/k" and "feature/k".
// Branches carry the tag of their exit; stem, stages, scala4.pool and fc4 are the trunk, tag 0.
Network build_network(engine::Graph& graph, const NetworkOptions& options, std::int64_t batch);
}  // namespace autodidact::model
