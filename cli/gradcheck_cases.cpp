#include "cli/gradcheck_cases.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "engine/random.hpp"
#include "model/distillation_loss.hpp"
#include "ops/add.hpp"
#include "ops/attention_gate.hpp"
#include "ops/average_pool.hpp"
#include "ops/batch_norm.hpp"
#include "ops/collective_sum.hpp"
#include "ops/convolution.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/fusions.hpp"
#include "ops/global_average.hpp"
#include "ops/linear.hpp"
#include "ops/max_pool.hpp"
#include "ops/multiply.hpp"
#include "ops/relu.hpp"
#include "ops/root.hpp"
#include "ops/sigmoid.hpp"
#include "ops/soft_cross_entropy.hpp"
#include "ops/squared_distance.hpp"
#include "ops/upsample.hpp"
#include "ops/weighted_sum.hpp"

namespace autodidact::cli {
using engine::apply, engine::CheckCase, engine::Graph, engine::Role, engine::Shape, engine::ValueId;

namespace {

const FastTolerance kF32{1e-5, "sums of at most 1e4 f32 products, each rounded at 6e-8"};
const FastTolerance kWinograd{1e-4, "Winograd adds and subtracts inputs and weights before it multiplies them"};
const FastTolerance kStrassen{1e-4, "Strassen's products are of sums, and what they have too much is subtracted"};
const FastTolerance kBf16{1.0 / 256, "a number written in bf16 is rounded by at most 2^-8, in the mean of many by less than 0.6 of it; none is made of numbers that were rounded more than once"};
const FastTolerance kNetworkF32{1e-4, "2e-7 a sum, grown by up to 60 layers of batch norm and by cancellation"};

// 24 channels: 16 does not divide them. 35 pixels: no vector does.
const Shape kPlanes{3, 24, 5, 7};
constexpr std::int64_t kSamples = 7, kClasses = 37;

class Catalogue {
 public:
  GradientCase& add(std::string op, std::string shape, std::function<ValueId(Graph&)> build,
                    std::vector<std::string> differentiate) {
    GradientCase one{std::move(op), std::move(shape), {}, kF32};
    one.check.build = std::move(build);
    one.check.differentiate = std::move(differentiate);
    cases.push_back(std::move(one));
    return cases.back();
  }
  // An op of activations of one shape: inputs "a", "b", …, each differentiated.
  template <class O>
  void add_activations(O op, int inputs, const Shape& shape, const std::string& text) {
    std::vector<std::string> names;
    for (int i = 0; i < inputs; ++i) names.emplace_back(1, static_cast<char>('a' + i));
    const std::string kind(op.kind());
    add(kind, text,
        [op, names, shape](Graph& graph) {
          std::vector<ValueId> values;
          for (const std::string& name : names) values.push_back(graph.input(name, shape, Role::activation));
          return apply(graph, "y", op, values);
        },
        names);
  }
  std::vector<GradientCase> cases;
};

void add_convolution(Catalogue& catalogue, const std::string& text, const Shape& x, const Shape& weights,
                     ops::ConvolutionGeometry geometry, bool winograd = false) {
  GradientCase& one = catalogue.add("convolution", text, [=](Graph& graph) {
    return apply(graph, "y", ops::Convolution(geometry),
                 {graph.input("x", x, Role::activation), graph.parameter("w", weights)});
  }, {"x"});
  one.check.direct = !winograd;
  if (!winograd) return;
  one.check.prefer = {"winograd"};
  one.check.blocks = {16};  // the only one for which the library has it
  one.fast = kWinograd;
}

// The last case is computed by this implementation of ours in all passes, where it is offered.
void prefer_own(Catalogue& catalogue, const char* id, const std::string& implementation) {
  std::vector<std::string>& prefer = catalogue.cases.back().check.prefer;
  prefer.clear();
  for (const char* pass : {"forward", "backward_data", "backward_weights"})
    prefer.push_back(fmt::format("y\t{}\t{}\t{}\tnChw16c nChw16c", pass, id, implementation));
}

void add_own_winograd(Catalogue& catalogue, std::int64_t stride, bool pairs) {
  const std::string name = fmt::format("own_wino_4x3{}{}", stride == 1 ? "" : "_s2", pairs ? "_pairs" : "");
  add_convolution(catalogue, fmt::format("3x3 stride {}, our Winograd{} where there is AVX-512", stride, pairs ? " in pairs" : ""), {2, 32, 8, 8}, {32, 32, 3, 3},
                  {1, stride, stride, 1, 1}, true);
  prefer_own(catalogue, "winograd", name);
}

void add_convolutions(Catalogue& catalogue) {
  const Shape planes{2, 24, 7, 9};
  add_convolution(catalogue, "3x3", planes, {20, 24, 3, 3}, {.pad_h = 1, .pad_w = 1});
  add_convolution(catalogue, "3x3 of an image", {2, 3, 9, 9}, {16, 3, 3, 3}, {.pad_h = 1, .pad_w = 1});
  add_convolution(catalogue, "3x3, Winograd where the library has it", {2, 32, 8, 8}, {32, 32, 3, 3},
                  {.pad_h = 1, .pad_w = 1}, true);
  for (const std::int64_t stride : {1, 2})
    for (const bool pairs : {false, true}) add_own_winograd(catalogue, stride, pairs);
  add_convolution(catalogue, "3x3 stride 2", planes, {20, 24, 3, 3},
                  {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1});
  add_convolution(catalogue, "3x3 dilation 2", planes, {16, 24, 3, 3},
                  {.pad_h = 2, .pad_w = 2, .dilation_h = 2, .dilation_w = 2});
  add_convolution(catalogue, "3x3 in 4 groups", planes, {32, 6, 3, 3}, {.groups = 4, .pad_h = 1, .pad_w = 1});
  add_convolution(catalogue, "3x3 depthwise stride 2", planes, {24, 1, 3, 3},
                  {.groups = 24, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1});
  add_convolution(catalogue, "1x1", planes, {40, 24, 1, 1}, {});
  for (const std::int64_t stride : {1, 2})
    for (const bool pairs : {false, true}) {
      add_convolution(catalogue, fmt::format("1x1 stride {}, Strassen's{} where there is AVX-512", stride, pairs ? " in pairs" : ""), {2, 64, 8, 8}, {64, 64, 1, 1},
                      {.stride_h = stride, .stride_w = stride}, true);
      prefer_own(catalogue, "strassen", pairs ? "own_strassen_pairs" : "own_strassen");
      catalogue.cases.back().fast = kStrassen;
    }
  add_convolution(catalogue, "1x1 stride 2", planes, {40, 24, 1, 1}, {.stride_h = 2, .stride_w = 2});
  add_convolution(catalogue, "7x7 stride 2", {2, 3, 13, 13}, {16, 3, 7, 7},
                  {.stride_h = 2, .stride_w = 2, .pad_h = 3, .pad_w = 3});
}

void add_batch_norm(Catalogue& catalogue, ops::Tail tail, engine::Mode mode) {
  const bool adds = tail == ops::Tail::add_relu;
  const bool training = mode == engine::Mode::train;
  GradientCase& one = catalogue.add(
      std::string(ops::BatchNorm({}, tail).kind()),
      training ? "statistics of the batch" : "running statistics",
      [tail, adds](Graph& graph) {
        const Shape channels{kPlanes[1]};
        std::vector<ValueId> inputs{graph.input("x", kPlanes, Role::activation), graph.parameter("gamma", channels),
                                    graph.parameter("beta", channels), graph.state("running_mean", channels),
                                    graph.state("running_var", channels)};
        if (adds) inputs.push_back(graph.input("z", kPlanes, Role::activation));
        return apply(graph, "y", ops::BatchNorm({}, tail), inputs);
      },
      adds ? std::vector<std::string>{"x", "z"} : std::vector<std::string>{"x"});
  one.check.mode = mode;
}

void add_batch_norms(Catalogue& catalogue) {
  for (const ops::Tail tail : {ops::Tail::none, ops::Tail::relu, ops::Tail::add_relu})
    for (const engine::Mode mode : {engine::Mode::train, engine::Mode::infer}) add_batch_norm(catalogue, tail, mode);
}

void add_attention(Catalogue& catalogue) {
  const Shape map{kPlanes[0], kPlanes[1], 3, 4};
  catalogue.add("upsample", "3x4 to 5x7", [map](Graph& graph) {
    return apply(graph, "y", ops::Upsample(kPlanes[2], kPlanes[3]), {graph.input("x", map, Role::activation)});
  }, {"x"});
  catalogue.add_activations(ops::Sigmoid(), 1, kPlanes, "5x7");
  catalogue.add("attention_gate", "3x4 over 5x7", [map](Graph& graph) {
    return apply(graph, "y", ops::AttentionGate(),
                 {graph.input("x", kPlanes, Role::activation), graph.input("a", map, Role::activation)});
  }, {"x", "a"});
}

void add_linear(Catalogue& catalogue) {
  constexpr std::int64_t kFeatures = 75;
  catalogue.add("linear", "75 to 37", [](Graph& graph) {
    return apply(graph, "y", ops::Linear(),
                 {graph.input("x", {kSamples, kFeatures}, Role::activation),
                  graph.parameter("w", {kClasses, kFeatures}), graph.parameter("b", {kClasses})});
  }, {"x"});
}

std::vector<double> labels(int multiplier) {
  std::vector<double> all;
  for (int n = 0; n < kSamples; ++n) all.push_back(n * multiplier % static_cast<int>(kClasses));
  return all;
}

void add_cross_entropy(Catalogue& catalogue) {
  GradientCase& hard = catalogue.add("cross_entropy", "two labels, smoothing", [](Graph& graph) {
    std::vector<ValueId> inputs{graph.input("z", {kSamples, kClasses}, Role::activation)};
    for (const char* name : {"y1", "y2"}) inputs.push_back(graph.input(name, {kSamples}, Role::label));
    for (const char* name : {"mix", "smoothing", "inv_batch"}) inputs.push_back(graph.input(name, {}, Role::scalar));
    return apply(graph, "y", ops::CrossEntropy(), inputs);
  }, {"z"});
  hard.check.values = {{"y1", labels(5)}, {"y2", labels(11)}, {"mix", {0.7}}, {"smoothing", {0.1}}, {"inv_batch", {0.05}}};

  GradientCase& soft = catalogue.add("soft_cross_entropy", "temperature 3, teacher detached", [](Graph& graph) {
    return apply(graph, "y", ops::SoftCrossEntropy(),
                 {graph.input("z", {kSamples, kClasses}, Role::activation),
                  graph.input("teacher", {kSamples, kClasses}, Role::activation),
                  graph.input("temperature", {}, Role::scalar), graph.input("inv_batch", {}, Role::scalar)});
  }, {"z"});
  soft.check.values = {{"temperature", {3}}, {"inv_batch", {0.05}}};
}

// The scalar ops behind the feature distance, each with a tensor in front of it so that there is a gradient to look at.
ValueId squared_distance(Graph& graph) {
  const Shape features{9, 75};
  return apply(graph, "squares", ops::SquaredDistance(),
               {graph.input("x", features, Role::activation), graph.input("teacher", features, Role::activation)});
}

void add_distance(Catalogue& catalogue) {
  catalogue.add("squared_distance", "teacher detached", squared_distance, {"x"});
  catalogue.add("root", "of a squared distance", [](Graph& graph) {
    return apply(graph, "y", ops::Root(), {squared_distance(graph)});
  }, {"x"});
  catalogue.add("collective_sum", "of a squared distance, alone", [](Graph& graph) {
    return apply(graph, "y", ops::CollectiveSum(), {squared_distance(graph)});
  }, {"x"});
  catalogue.add("weighted_sum", "of a squared distance and its root", [](Graph& graph) {
    const ValueId squares = squared_distance(graph);
    const ValueId root = apply(graph, "root", ops::Root(), {squares});
    return apply(graph, "y", ops::WeightedSum(2),
                 {squares, root, graph.input("weight0", {}, Role::scalar), graph.input("weight1", {}, Role::scalar)});
  }, {"x"});
}

// Weights of the size that keeps activations near 1, batch norms away from 1 and 0, and small where a residual block ends, so
// that rounding grows little with depth; exact in f32.
std::map<std::string, std::vector<double>> network_values(const Graph& graph, const model::NetworkOptions& options,
                                                          const model::Recipe& recipe, std::int64_t batch) {
  std::map<std::string, std::vector<double>> values;
  for (const auto& [name, value] : model::loss_scalars(recipe, batch)) values[name] = {static_cast<float>(value)};
  for (std::int64_t n = 0; n < batch; ++n) values["labels"].push_back(static_cast<double>(n % options.classes));
  values["second_labels"] = values["labels"];
  engine::Random random(1, engine::Purpose::probe, 2);
  for (const engine::Value& parameter : graph.values()) {
    if (parameter.source != engine::Source::parameter) continue;
    const Shape& shape = parameter.shape;
    const bool gamma = shape.rank() == 1 && parameter.name.ends_with(".weight");
    const bool block_end = parameter.name.ends_with("bn2.weight") || parameter.name.ends_with("bn3.weight");
    const double centre = gamma ? (block_end ? 0.4 : 1) : 0;
    const double spread = shape.rank() == 1 ? 0.1 : std::sqrt(2.0 * static_cast<double>(shape[0]) / static_cast<double>(shape.count()));
    for (std::int64_t i = 0; i < shape.count(); ++i)
      values[parameter.name].push_back(static_cast<float>(centre + spread * random.normal()));
  }
  return values;
}

// `joint`: a few directions over all parameters, instead of one for each. `seed`: of the images, such that no input of a ReLU is
// so near to zero that f32 could take the other side, which would be a difference of 1e-3 and no fault.
GradientCase network_case(const model::NetworkOptions& options, bool joint, std::uint64_t seed) {
  constexpr std::int64_t batch = 4;
  const model::Recipe recipe = model::recipe_by_name("seed");
  const auto build = [options, recipe](Graph& graph) {
    return model::add_distillation_loss(graph, model::build_network(graph, options, batch), recipe);
  };
  GradientCase one{options.model, fmt::format("width {}, {} images of {} px, recipe seed", options.width, batch, options.image_width),
                   {}, kNetworkF32};
  Graph graph;
  build(graph);
  one.check.build = build;
  one.check.values = network_values(graph, options, recipe, batch);
  one.check.fusions = ops::fusion_rules();
  one.check.blocks = {16, 0};
  one.check.direct = true;
  one.check.joint = joint;
  one.check.seed = seed;
  one.check.directions = joint ? 4 : 1;
  one.check.step = 1e-5;
  one.check.fifth_derivative = 1e14;  // the worst of these networks has 1e13
  return one;
}
}  // namespace

std::vector<GradientCase> op_cases() {
  Catalogue catalogue;
  add_convolutions(catalogue);
  add_batch_norms(catalogue);
  catalogue.add_activations(ops::Relu(), 1, kPlanes, "5x7");
  catalogue.add_activations(ops::Add(), 2, kPlanes, "5x7");
  catalogue.add_activations(ops::Multiply(), 2, kPlanes, "5x7");
  add_attention(catalogue);
  catalogue.add_activations(ops::MaxPool(3, 2, 1), 1, kPlanes, "3x3 stride 2");
  catalogue.add_activations(ops::AveragePool(3, 2, 1), 1, kPlanes, "3x3 stride 2");
  catalogue.add_activations(ops::AveragePool(4, 4, 0, true), 1, kPlanes, "4x4, flattened");
  catalogue.add_activations(ops::GlobalAverage(), 1, kPlanes, "5x7");
  add_linear(catalogue);
  add_cross_entropy(catalogue);
  add_distance(catalogue);
  return std::move(catalogue.cases);
}

std::vector<GradientCase> network_cases() {
  model::NetworkOptions narrow;
  narrow.classes = 10;
  narrow.width = 4;
  narrow.image_height = narrow.image_width = 16;
  model::NetworkOptions bottleneck = narrow, grouped = narrow;
  bottleneck.model = "resnet50";
  grouped.model = "resnext50_32x4d";
  grouped.groups = 4;
  grouped.width_per_group = 32;
  return {network_case(narrow, false, 1), network_case(bottleneck, true, 26), network_case(grouped, true, 28)};
}

GradientCase in_bf16(GradientCase gradient_case) {
  gradient_case.fast = kBf16;
  gradient_case.check.precision = engine::Precision::bf16;
  return gradient_case;
}

Verdict examine(const GradientCase& gradient_case) {
  Verdict verdict;
  verdict.finite_differences = engine::finite_difference_error(gradient_case.check);
  verdict.finite_differences_tolerance =
      engine::finite_difference_tolerance(gradient_case.check.step, gradient_case.check.fifth_derivative);
  verdict.fast = engine::worst(engine::fast_errors(gradient_case.check));
  verdict.passed = verdict.finite_differences <= verdict.finite_differences_tolerance &&
                   verdict.fast <= gradient_case.fast.value;
  return verdict;
}
}  // namespace autodidact::cli
