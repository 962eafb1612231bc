#include "model/distillation_loss.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <set>
#include <stdexcept>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/op.hpp"
#include "engine/parameter_store.hpp"

namespace {
using namespace autodidact;
using engine::Graph, engine::Role, engine::Source;
using model::Recipe, model::recipe_by_name;
using Names = std::set<std::string>;

constexpr std::int64_t kBatch = 3, kClasses = 5, kFeatures = 4;

// Exits that are inputs of the graph, "z1" … "f4" and "a1" … "a3": the loss alone, without a network.
model::Network bare_exits(Graph& graph, bool branches = true) {
  model::Network network;
  network.options.branches = branches;
  network.images = graph.input("images", {kBatch, 1, 8, 8}, Role::activation);
  for (int k = branches ? 1 : 4; k <= 4; ++k) {
    auto& exit = network.exits[static_cast<std::size_t>(k - 1)];
    exit.logits = graph.input(fmt::format("z{}", k), {kBatch, kClasses}, Role::activation);
    exit.feature = graph.input(fmt::format("f{}", k), {kBatch, kFeatures}, Role::activation);
    if (k < 4)
      exit.adapted = graph.input(fmt::format("a{}", k), {kBatch, kFeatures}, Role::activation);
  }
  return network;
}

Names terms_of(const Recipe& recipe) {
  Graph graph;
  const auto network = bare_exits(graph, recipe.branches);
  model::add_distillation_loss(graph, network, recipe);
  Names names;
  for (const auto& [name, value] : graph.outputs()) names.insert(name);
  return names;
}

std::vector<double> waves(double frequency, std::int64_t count) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < count; ++i)
    numbers.push_back(std::sin(frequency * static_cast<double>(i + 1)));
  return numbers;
}

std::vector<double> softmax(const std::vector<double>& z, std::int64_t n, double T) {
  std::vector<double> p(z.begin() + n * kClasses, z.begin() + (n + 1) * kClasses);
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v / T);
  for (double& v : p) v /= sum;
  return p;
}

// The loss of a recipe, run by the reference on numbers of its own.
struct Trial {
  explicit Trial(const Recipe& with)
      : recipe(with),
        network(bare_exits(graph, recipe.branches)),
        loss(model::add_distillation_loss(graph, network, recipe)),
        store(std::make_shared<const engine::ParameterLayout>(graph), engine::DType::f64),
        program(make()) {
    for (const auto& [name, terminal] : program.inputs())
      if (name.size() == 2)
        program.set(name, numbers[name] = waves(static_cast<double>(name[0] % 7) + 0.3 * name[1],
                                                terminal.type.shape.count()));
    program.set("labels", labels);
    program.set("second_labels", labels);
    for (const auto& [name, value] : model::loss_scalars(recipe, kBatch))
      program.set(name, std::vector{value});
    engine::Executor executor(lanes);
    executor.run(program, store);
  }

  engine::Program make() {
    engine::CompileOptions options;
    options.backend = engine::Backend::reference;
    for (const engine::Value& value : graph.values())
      if (value.name.starts_with("z")) options.differentiate.push_back(value.name);
    return engine::compile(graph, options, lanes);
  }

  // L by the formula of model/recipe.hpp.
  double expected() const {
    double L = 0;
    for (int k = recipe.branches ? 1 : 4; k <= 4; ++k)
      for (std::int64_t n = 0; n < kBatch; ++n) {
        const auto& z = numbers.at(fmt::format("z{}", k));
        const auto y = static_cast<std::size_t>(labels[static_cast<std::size_t>(n)]);
        L -= (k == 4 ? 1 : 1 - recipe.alpha) * std::log(softmax(z, n, 1)[y]) / kBatch;
        if (k == 4 || recipe.alpha == 0) continue;
        const double T = recipe.temperature, weight = recipe.alpha * (recipe.t2 ? T * T : 1);
        const auto p = softmax(z, n, T), r = softmax(numbers.at("z4"), n, T);
        for (std::size_t q = 0; q < p.size(); ++q) L -= weight * r[q] * std::log(p[q]) / kBatch;
      }
    for (const int k : recipe.feature_exits) {
      const auto& a = numbers.at(fmt::format("{}{}", recipe.adaptation ? 'a' : 'f', k));
      const auto& b = numbers.at("f4");
      double squares = 0;
      for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
      const bool norm = recipe.feature_term == model::FeatureTerm::norm;
      L += recipe.lambda * (norm ? std::sqrt(squares) : squares);
    }
    return L;
  }

  const Recipe recipe;
  engine::Lanes lanes{1};
  Graph graph;
  model::Network network;
  engine::ValueId loss;
  engine::ParameterStore store;
  std::map<std::string, std::vector<double>> numbers;
  const std::vector<double> labels{4, 0, 2};
  engine::Program program;
};
}  // namespace

TEST_CASE("distillation_loss: each recipe has its terms and no others") {
  const Names ce{"loss/ce/1", "loss/ce/2", "loss/ce/3", "loss/ce/4", "loss/total"};
  Names seed = ce;
  seed.merge(
      Names{"loss/soft/1", "loss/soft/2", "loss/soft/3", "loss/feature/1", "loss/feature/2"});
  Names papers = seed;
  papers.insert("loss/feature/3");
  CHECK(terms_of(recipe_by_name("seed")) == seed);
  CHECK(terms_of(recipe_by_name("iccv2019")) == papers);
  CHECK(terms_of(recipe_by_name("scan")) == papers);
  CHECK(terms_of(recipe_by_name("none")) == ce);
  CHECK(terms_of(recipe_by_name("baseline")) == Names{"loss/ce/4", "loss/total"});
}

TEST_CASE("distillation_loss: it is the formula, for every recipe and for numbers of one's own") {
  auto all = std::vector<Recipe>(model::recipes().begin(), model::recipes().end());
  Recipe own = recipe_by_name("scan");  // weights large enough to be seen
  own.lambda = 0.5;
  own.temperature = 1.7;
  own.feature_exits = {3};
  own.adaptation = true;
  all.push_back(own);
  for (const Recipe& recipe : all) {
    CAPTURE(recipe.name);
    const Trial trial(recipe);
    CHECK(trial.program.scalar("loss/total") == doctest::Approx(trial.expected()).epsilon(1e-12));
  }
}

TEST_CASE("distillation_loss: the teacher learns from the labels alone") {
  const Trial seed(recipe_by_name("seed")), baseline(recipe_by_name("baseline"));
  REQUIRE(seed.numbers.at("z4") == baseline.numbers.at("z4"));
  const auto dz = seed.program.get("d/z4"), plain = baseline.program.get("d/z4");
  for (std::size_t i = 0; i < dz.size(); ++i)
    CHECK(dz[i] == doctest::Approx(plain[i]).epsilon(1e-12));
  int compared = 0;
  for (const engine::Node& node : seed.graph.nodes())
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (seed.graph.value(node.inputs[i]).name != "f4") continue;
      CHECK_FALSE(node.op->inputs()[i].differentiable);
      ++compared;
    }
  CHECK(compared == 2);
}

TEST_CASE("distillation_loss: the graph takes exactly the scalars that loss_scalars gives") {
  for (const Recipe& recipe : model::recipes()) {
    CAPTURE(recipe.name);
    Graph graph;
    const auto network = bare_exits(graph, recipe.branches);
    const auto loss = model::add_distillation_loss(graph, network, recipe);
    CHECK(graph.loss() == loss);
    Names declared, given;
    for (const engine::Value& value : graph.values())
      if (value.source == Source::input && value.role == Role::scalar) declared.insert(value.name);
    for (const auto& [name, value] : model::loss_scalars(recipe, 128)) given.insert(name);
    CHECK(declared == given);
  }
  const auto scalars =
      model::loss_scalars(recipe_by_name("iccv2019"), 128, {.mix = 0.8, .smoothing = 0.1});
  CHECK(scalars.at("scalar/inv_batch") == 1.0 / 128);
  CHECK(scalars.at("scalar/mix") == 0.8);
  CHECK(scalars.at("scalar/smoothing") == 0.1);
  CHECK(scalars.at("scalar/weight_teacher") == 1);
  CHECK(scalars.at("scalar/weight_ce") == 0.9);
  CHECK(scalars.at("scalar/temperature") == 3);
  CHECK(scalars.at("scalar/weight_soft") == doctest::Approx(0.9));  // α·T²
  CHECK(scalars.at("scalar/weight_feature") == 1e-6);
  CHECK(model::loss_scalars(recipe_by_name("seed"), 1).at("scalar/weight_soft") == 0.3);
  CHECK_THROWS_WITH_AS(model::loss_scalars(recipe_by_name("seed"), 0),
                       "a batch has at least 1 image, got 0", std::invalid_argument);
}

TEST_CASE(
    "distillation_loss: terms carry the tag of their exit; the teacher's and the total are trunk") {
  Graph graph;
  const auto network = bare_exits(graph);
  model::add_distillation_loss(graph, network, recipe_by_name("seed"));
  for (const engine::Node& node : graph.nodes()) {
    CAPTURE(node.name);
    const bool trunk = node.name == "loss/ce/4" || node.name == "loss/total";
    const bool step = node.name.starts_with("feature_distance");
    const int k =
        (step ? node.name[std::string("feature_distance").size()] : node.name.back()) - '0';
    CHECK(node.exit == (trunk ? 0 : k));
  }
}

TEST_CASE("distillation_loss: what the network lacks is refused") {
  Graph graph;
  const auto plain = bare_exits(graph, false);
  CHECK_THROWS_WITH_AS(model::add_distillation_loss(graph, plain, recipe_by_name("seed")),
                       "recipe seed needs the branches of exits 1 to 3, and this network has none",
                       std::invalid_argument);
  Graph other;
  auto network = bare_exits(other);
  network.exits[1].adapted = {};
  CHECK_THROWS_WITH_AS(
      model::add_distillation_loss(other, network, recipe_by_name("seed")),
      "recipe seed needs an adaptation layer for exit 2, and this network has none",
      std::invalid_argument);
}
