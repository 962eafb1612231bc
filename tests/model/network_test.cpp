#include "model/network.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>
#include <stdexcept>

#include "engine/op.hpp"
#include "engine/parameter_store.hpp"
#include "ops/convolution.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Shape;
using model::NetworkOptions;

std::int64_t parameters(const NetworkOptions& options) {
  Graph graph;
  model::build_network(graph, options, 2);
  return engine::ParameterLayout(graph).parameter_count();
}

NetworkOptions sized(std::int64_t side, std::int64_t width = 4) {
  NetworkOptions options;
  options.classes = 10;
  options.image_height = options.image_width = side;
  options.width = width;
  return options;
}

Shape shape_of(const Graph& graph, std::string_view name) {
  const auto id = graph.find(name);
  CAPTURE(name);
  REQUIRE(id.valid());
  return graph.value(id).shape;
}

const ops::ConvolutionGeometry& geometry_of(const Graph& graph, std::string_view name) {
  const auto id = graph.find(name);
  REQUIRE(id.valid());
  const auto* op =
      dynamic_cast<const ops::Convolution*>(graph.node(graph.value(id).producer).op.get());
  REQUIRE(op != nullptr);
  return op->geometry;
}

bool refused(const NetworkOptions& options) {
  Graph graph;
  try {
    model::build_network(graph, options, 1);
    return false;
  } catch (const std::invalid_argument&) {
    return true;
  }
}
}  // namespace

TEST_CASE("network: the numbers of parameters are the published ones") {
  struct Published {
    const char* model;
    std::int64_t trunk, heads, all_adaptation, used_adaptation;  // 0: not published
  };
  const Published published[] = {
      {"resnet18", 11'220'132, 12'283'344, 13'071'312, 12'808'656},
      {"resnet34", 0, 22'391'504, 0, 0},
      {"resnet50", 23'705'252, 38'426'576, 51'015'632, 46'819'280},
      {"resnet152", 58'341'028, 73'062'352, 85'651'408, 81'455'056},
      {"wide_resnet50_2", 0, 81'752'784, 0, 0},
      {"wide_resnet101_2", 0, 139'756'240, 0, 0},
      {"resnext50_32x4d", 0, 37'898'448, 0, 0},
      {"resnext101_32x8d", 0, 101'660'880, 0, 0},
  };
  for (const Published& p : published) {
    CAPTURE(p.model);
    NetworkOptions options;
    options.model = p.model;
    if (p.used_adaptation) CHECK(parameters(options) == p.used_adaptation);
    options.adaptation = {1, 2, 3};
    if (p.all_adaptation) CHECK(parameters(options) == p.all_adaptation);
    options.adaptation = {};
    CHECK(parameters(options) == p.heads);
    options.branches = false;
    if (p.trunk) CHECK(parameters(options) == p.trunk);
  }
}

TEST_CASE("network: names are those of the published state dict") {
  Graph graph;
  NetworkOptions options;
  options.model = "resnet50";
  model::build_network(graph, options, 2);
  const std::pair<const char*, Shape> expected[] = {
      {"images", {2, 3, 32, 32}},
      {"conv1.weight", {64, 3, 3, 3}},
      {"bn1.running_var", {64}},
      {"relu", {2, 64, 32, 32}},
      {"layer1.0.downsample.0.weight", {256, 64, 1, 1}},
      {"layer1.0.downsample.1.running_mean", {256}},
      {"layer2.0.conv2.weight", {128, 128, 3, 3}},
      {"layer2.0.conv2", {2, 128, 16, 16}},
      {"layer3.5.bn3.bias", {1024}},
      {"layer4.2.relu1", {2, 512, 4, 4}},
      {"layer4.2.relu2", {2, 512, 4, 4}},
      {"layer4.2.add", {2, 2048, 4, 4}},
      {"layer4.2.relu3", {2, 2048, 4, 4}},
      {"scala4.pool", {2, 2048}},
      {"fc4.weight", {100, 2048}},
      {"attention2.0.op.0.weight", {512, 1, 3, 3}},
      {"attention2.0.op.1.weight", {512, 512, 1, 1}},
      {"attention2.0.op.7", {2, 512, 8, 8}},
      {"attention2.1.weight", {512}},
      {"attention2.2", {2, 512, 8, 8}},
      {"attention2.3", {2, 512, 16, 16}},
      {"attention2.4", {2, 512, 16, 16}},
      {"attention2.gate", {2, 512, 16, 16}},
      {"scala1.0.op.5.weight", {512, 256, 1, 1}},
      {"scala1.2.op.7", {2, 2048, 4, 4}},
      {"scala3.0.op.4.weight", {1024, 1, 3, 3}},
      {"scala3.pool", {2, 2048}},
      {"fc1.bias", {100}},
      {"adaptation_layers.1.weight", {2048, 2048}},  // exit 2
      {"adaptation_layers.2.bias", {2048}},          // exit 1
  };
  for (const auto& [name, shape] : expected) CHECK(shape_of(graph, name) == shape);
  for (const char* absent : {"adaptation_layers.0", "maxpool", "conv1.bias", "attention4.gate",
                             "layer1.1.downsample.0", "attention1.0.op.0.bias", "scala3.1.op.0"})
    CHECK_FALSE(graph.find(absent).valid());
  for (int k = 1; k <= 4; ++k) {
    CHECK(graph.value(graph.outputs().at(fmt::format("logits/{}", k))).name ==
          fmt::format("fc{}", k));
    CHECK(graph.value(graph.outputs().at(fmt::format("feature/{}", k))).name ==
          fmt::format("scala{}.pool", k));
  }
}

TEST_CASE(
    "network: a basic block ends in relu2, and the attended tensor goes to its branch alone") {
  Graph graph;
  model::build_network(graph, sized(32), 2);
  CHECK(shape_of(graph, "layer3.1.relu2") == Shape{2, 16, 8, 8});
  CHECK_FALSE(graph.find("layer3.1.relu3").valid());
  const auto input_of = [&](std::string_view name, std::size_t index) {
    return graph.value(graph.node(graph.value(graph.find(name)).producer).inputs[index]).name;
  };
  CHECK(input_of("layer2.0.conv1", 0) == "layer1.1.relu2");
  CHECK(input_of("layer2.0.add", 1) == "layer2.0.downsample.1");
  CHECK(input_of("layer2.1.add", 1) == "layer2.0.relu2");
  CHECK(input_of("attention1.gate", 0) == "layer1.1.relu2");
  CHECK(input_of("scala1.0.op.0", 0) == "attention1.gate");
}

TEST_CASE("network: branches carry the tag of their exit, the rest is trunk") {
  Graph graph;
  model::build_network(graph, sized(32), 2);
  for (const engine::Node& node : graph.nodes()) {
    int expected = 0;
    for (int k = 1; k <= 3; ++k)
      for (const auto& prefix :
           {fmt::format("attention{}.", k), fmt::format("scala{}.", k), fmt::format("fc{}", k),
            fmt::format("adaptation_layers.{}", 3 - k)})
        if (node.name.starts_with(prefix)) expected = k;
    CAPTURE(node.name);
    CHECK(node.exit == expected);
  }
}

TEST_CASE("network: all nine build at any side from 8 px, odd ones too, with either stem") {
  for (const auto& architecture : model::architectures())
    for (const auto stem : {model::Stem::cifar, model::Stem::imagenet})
      for (const std::int64_t side : {8, 9, 15, 33}) {
        CAPTURE(architecture.name);
        CAPTURE(side);
        NetworkOptions options = sized(side, 16);
        options.model = architecture.name;
        options.stem = stem;
        options.image_width = side + 3;
        options.channels = 1;
        Graph graph;
        const auto network = model::build_network(graph, options, 3);
        for (int k = 1; k <= 4; ++k)
          CHECK(graph.value(network.exit(k).logits).shape == Shape{3, 10});
      }
}

TEST_CASE("network: planes halve, rounded up, and attention comes back to the stage's size") {
  Graph graph;
  model::build_network(graph, sized(15), 2);
  CHECK(shape_of(graph, "layer1.1.relu2") == Shape{2, 4, 15, 15});
  CHECK(shape_of(graph, "layer2.1.relu2") == Shape{2, 8, 8, 8});
  CHECK(shape_of(graph, "layer4.1.relu2") == Shape{2, 32, 2, 2});
  CHECK(shape_of(graph, "attention1.2") == Shape{2, 4, 8, 8});
  CHECK(shape_of(graph, "attention1.gate") == Shape{2, 4, 15, 15});
  Graph large;
  NetworkOptions options = sized(224);
  options.stem = model::Stem::imagenet;
  model::build_network(large, options, 1);
  CHECK(shape_of(large, "conv1.weight") == Shape{4, 3, 7, 7});
  CHECK(shape_of(large, "maxpool") == Shape{1, 4, 56, 56});
  CHECK(shape_of(large, "layer4.1.relu2") == Shape{1, 32, 7, 7});
}

TEST_CASE("network: dilation replaces stride from the second block on, as in torchvision") {
  NetworkOptions options = sized(32);
  options.model = "resnet50";
  options.replace_stride_with_dilation = {false, true, true};
  Graph graph;
  model::build_network(graph, options, 1);
  CHECK(shape_of(graph, "layer4.2.relu3") == Shape{1, 128, 16, 16});
  CHECK(geometry_of(graph, "layer2.0.conv2").stride_h == 2);
  const std::pair<const char*, std::int64_t> dilations[] = {{"layer2.1.conv2", 1},
                                                            {"layer3.0.conv2", 1},
                                                            {"layer3.1.conv2", 2},
                                                            {"layer4.0.conv2", 2},
                                                            {"layer4.1.conv2", 4}};
  for (const auto& [name, dilation] : dilations) {
    CAPTURE(name);
    CHECK(geometry_of(graph, name).dilation_h == dilation);
    CHECK(geometry_of(graph, name).dilation_w == dilation);
  }
}

TEST_CASE("network: groups and their width can be given") {
  NetworkOptions options = sized(32);
  options.model = "resnext50_32x4d";
  options.groups = 4;
  options.width_per_group = 32;
  Graph graph;
  model::build_network(graph, options, 1);
  CHECK(shape_of(graph, "layer1.0.conv2.weight") == Shape{8, 2, 3, 3});
  CHECK(geometry_of(graph, "layer4.0.conv2").groups == 4);
}

TEST_CASE("network: without branches it is the plain residual network") {
  NetworkOptions options = sized(32);
  options.branches = false;
  options.adaptation = {};
  Graph graph;
  const auto network = model::build_network(graph, options, 1);
  CHECK_FALSE(network.exit(1).logits.valid());
  CHECK(network.exit(4).logits.valid());
  CHECK(graph.outputs().size() == 2);
  CHECK_FALSE(graph.find("attention1.gate").valid());
}

TEST_CASE("network: the seed's pooling takes exactly the sides that the seed takes") {
  std::set<std::int64_t> accepted;
  for (std::int64_t side = 8; side <= 72; ++side) {
    NetworkOptions options = sized(side);
    options.pooling = model::Pooling::seed_window;
    if (!refused(options)) accepted.insert(side);
  }
  CHECK(accepted == std::set<std::int64_t>{32, 40, 48, 56});
  NetworkOptions options = sized(64);
  options.pooling = model::Pooling::seed_window;
  Graph graph;
  CHECK_THROWS_WITH_AS(model::build_network(graph, options, 1),
                       "[scala4.pool] the seed's 4x4 pooling needs planes of 4 to 7 pixels a side, "
                       "got 8x8; global pooling takes any",
                       std::invalid_argument);
  options = sized(36);
  options.pooling = model::Pooling::seed_window;
  Graph odd;
  CHECK_THROWS_WITH_AS(model::build_network(odd, options, 1),
                       "[attention3] the seed's attention needs planes with even sides, got 9x9; "
                       "global pooling takes any",
                       std::invalid_argument);
}

TEST_CASE("network: what cannot be built is refused in one sentence") {
  const auto message = [](auto change) {
    NetworkOptions options = sized(32);
    change(options);
    try {
      model::check(options);
    } catch (const std::invalid_argument& error) {
      CHECK(refused(options));
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using O = NetworkOptions;
  CHECK(message([](O&) {}) == "accepted");
  CHECK(message([](O& o) { o.model = "resnet20"; }) ==
        "there is no model 'resnet20': resnet18, resnet34, resnet50, resnet101, resnet152, "
        "wide_resnet50_2, wide_resnet101_2, resnext50_32x4d, resnext101_32x8d");
  CHECK(message([](O& o) { o.image_width = 7; }) == "images must be at least 8x8 pixels, got 32x7");
  CHECK(message([](O& o) { o.classes = 1; }) == "classes must be 2 to 1048576, got 1");
  CHECK(message([](O& o) { o.channels = 0; }) == "image channels must be 1 to 1048576, got 0");
  CHECK(message([](O& o) { o.width = 0; }) == "width must be 1 to 4096, got 0");
  CHECK(
      message([](O& o) {
        o.model = "resnext50_32x4d";
        o.width = 24;
      }) ==
      "resnext50_32x4d at width 24 would have groups of 24·4/64 = 1.5 channels: the width must be "
      "a multiple of 16");
  CHECK(message([](O& o) { o.replace_stride_with_dilation[2] = true; }) ==
        "resnet18 is made of basic blocks, which cannot be dilated");
  CHECK(
      message([](O& o) { o.groups = 2; }) ==
      "resnet18 is made of basic blocks, which have neither groups nor another group width: groups "
      "2, width per group 64");
  CHECK(message([](O& o) {
          o.model = "resnet50";
          o.groups = 0;
        }) == "groups must be 1 to 4096, got 0");
  CHECK(message([](O& o) { o.adaptation = {4}; }) ==
        "adaptation layers belong to exits 1 to 3, got exit 4");
  CHECK(message([](O& o) { o.branches = false; }) ==
        "a network without branches has no features to adapt");
  Graph graph;
  CHECK_THROWS_WITH_AS(model::build_network(graph, sized(32), 0),
                       "batch must be 1 to 1048576, got 0", std::invalid_argument);
}
