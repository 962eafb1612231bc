#include "model/network.hpp"

#include <fmt/format.h>

#include <numeric>
#include <set>
#include <stdexcept>

#include "model/residual_block.hpp"
#include "ops/max_pool.hpp"

namespace autodidact::model {
using engine::Graph, engine::Shape, engine::ValueId;

namespace {

// No network of use is larger; below these, no product of extents overflows.
constexpr std::int64_t kLargestWidth = 4096, kLargestSide = 16384, kLargestCount = 1 << 20;

// Stages of more blocks than this are made again in several parts, where recomputation keeps their inputs only.
constexpr int kBlocksBetweenCheckpoints = 6;

void require(bool condition, const std::string& sentence) {
  if (!condition) throw std::invalid_argument(sentence);
}

void require_within(std::string_view what, std::int64_t value, std::int64_t low,
                    std::int64_t high) {
  require(low <= value && value <= high,
          fmt::format("{} must be {} to {}, got {}", what, low, high, value));
}

// The architecture with the overrides of the options.
Architecture architecture_of(const NetworkOptions& options) {
  Architecture architecture = architecture_by_name(options.model);
  architecture.groups = options.groups.value_or(architecture.groups);
  architecture.width_per_group = options.width_per_group.value_or(architecture.width_per_group);
  return architecture;
}

void check_basic(const NetworkOptions& options, const Architecture& architecture) {
  require(architecture.groups == 1 && architecture.width_per_group == 64,
          fmt::format("{} is made of basic blocks, which have neither groups nor another group "
                      "width: groups {}, width per group {}",
                      options.model, architecture.groups, architecture.width_per_group));
  for (const bool dilated : options.replace_stride_with_dilation)
    require(!dilated,
            fmt::format("{} is made of basic blocks, which cannot be dilated", options.model));
}

// Planes·width_per_group/64 is the width of a group; it doubles from stage to stage, so the first stage decides.
void check_bottleneck(const NetworkOptions& options, const Architecture& architecture) {
  require_within("groups", architecture.groups, 1, kLargestWidth);
  require_within("width per group", architecture.width_per_group, 1, kLargestWidth);
  const std::int64_t product = options.width * architecture.width_per_group;
  require(product % 64 == 0,
          fmt::format("{} at width {} would have groups of {}·{}/64 = {} channels: the width must "
                      "be a multiple of {}",
                      options.model, options.width, options.width, architecture.width_per_group,
                      static_cast<double>(product) / 64,
                      64 / std::gcd(std::int64_t{64}, architecture.width_per_group)));
  require_within("groups times their width", product / 64 * architecture.groups, 1,
                 kLargestWidth * 16);
}

ValueId stem(Graph& graph, const NetworkOptions& options, ValueId images) {
  const bool cifar = options.stem == Stem::cifar;
  const std::int64_t kernel = cifar ? 3 : 7, stride = cifar ? 1 : 2;
  ValueId x = convolution(graph, "conv1", images,
                          {.channels = options.width, .kernel = kernel, .stride = stride});
  x = relu(graph, "relu", batch_norm(graph, "bn1", x));
  return cifar ? x : engine::apply(graph, "maxpool", ops::MaxPool(3, 2, 1), {x});
}

// The outputs of the four stages.
std::array<ValueId, kExits> stages(Graph& graph, const NetworkOptions& options, ValueId x) {
  const Architecture architecture = architecture_of(options);
  std::array<ValueId, kExits> outputs;
  std::int64_t dilation = 1;
  for (std::size_t s = 0; s < outputs.size(); ++s) {
    const bool dilate = s > 0 && options.replace_stride_with_dilation[s - 1];
    // The first block of a dilated stage still has the dilation of the stage before, as in torchvision.
    ResidualBlock block{.block = architecture.block,
                        .planes = options.width << s,
                        .stride = s > 0 && !dilate ? 2 : 1,
                        .groups = architecture.groups,
                        .width_per_group = architecture.width_per_group,
                        .dilation = dilation};
    if (dilate) dilation *= 2;
    for (int b = 0; b < architecture.depths[s]; ++b) {
      x = residual_block(graph, fmt::format("layer{}.{}", s + 1, b), x, block);
      if ((b + 1) % kBlocksBetweenCheckpoints == 0 || b + 1 == architecture.depths[s]) graph.checkpoint(x);
      block.stride = 1;
      block.dilation = dilation;
    }
    outputs[s] = x;
  }
  return outputs;
}

// The seed doubles the half-sized attention map, whatever the plane was: an odd one does not fit.
void require_even_planes(const Graph& graph, std::span<const ValueId> branch_stages) {
  int k = 0;
  for (const ValueId stage : branch_stages) {
    const Shape& plane = graph.value(stage).shape;
    require(
        plane[2] % 2 == 0 && plane[3] % 2 == 0,
        fmt::format("[attention{}] the seed's attention needs planes with even sides, got {}x{}; "
                    "global pooling takes any",
                    ++k, plane[2], plane[3]));
  }
}

void add_adaptation(Graph& graph, Network& network) {
  const std::set<int> exits(network.options.adaptation.begin(), network.options.adaptation.end());
  for (auto k = exits.rbegin(); k != exits.rend(); ++k) {
    const auto scope = graph.exit(*k);
    Exit& exit = network.exits[static_cast<std::size_t>(*k - 1)];
    exit.adapted = linear(graph, fmt::format("adaptation_layers.{}", kTeacher - 1 - *k),
                          exit.feature, graph.value(exit.feature).shape[1]);
  }
}
}  // namespace

void check(const NetworkOptions& options) {
  const Architecture architecture = architecture_of(options);
  require(options.image_height >= kSmallestSide && options.image_width >= kSmallestSide,
          fmt::format("images must be at least {}x{} pixels, got {}x{}", kSmallestSide,
                      kSmallestSide, options.image_height, options.image_width));
  require_within("image height", options.image_height, kSmallestSide, kLargestSide);
  require_within("image width", options.image_width, kSmallestSide, kLargestSide);
  require_within("classes", options.classes, 2, kLargestCount);
  require_within("image channels", options.channels, 1, kLargestCount);
  require_within("width", options.width, 1, kLargestWidth);
  if (architecture.block == Block::basic)
    check_basic(options, architecture);
  else
    check_bottleneck(options, architecture);
  require(options.branches || options.adaptation.empty(),
          "a network without branches has no features to adapt");
  for (const int k : options.adaptation)
    require(1 <= k && k < kTeacher,
            fmt::format("adaptation layers belong to exits 1 to 3, got exit {}", k));
}

Network build_network(Graph& graph, const NetworkOptions& options, std::int64_t batch) {
  check(options);
  require_within("batch", batch, 1, kLargestCount);
  Network network{options, {}, {}, {}};
  network.images =
      graph.input("images", {batch, options.channels, options.image_height, options.image_width},
                  engine::Role::activation);
  const auto stage = network.stages = stages(graph, options, stem(graph, options, network.images));
  if (options.branches && options.pooling == Pooling::seed_window)
    require_even_planes(graph, std::span(stage).first(kTeacher - 1));

  Exit& teacher = network.exits[kTeacher - 1];
  teacher.feature = pool(graph, "scala4.pool", stage[kTeacher - 1], options.pooling);
  teacher.logits = linear(graph, "fc4", teacher.feature, options.classes);
  if (options.branches)
    for (int k = 1; k < kTeacher; ++k) {
      const auto i = static_cast<std::size_t>(k - 1);
      network.exits[i] = exit_branch(graph, k, stage[i], options.classes, options.pooling);
    }
  add_adaptation(graph, network);

  for (int k = 1; k <= kExits; ++k) {
    if (!network.exit(k).logits.valid()) continue;
    graph.output(fmt::format("logits/{}", k), network.exit(k).logits);
    graph.output(fmt::format("feature/{}", k), network.exit(k).feature);
  }
  return network;
}
}  // namespace autodidact::model
