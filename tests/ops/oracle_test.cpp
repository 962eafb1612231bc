// Each op of ops/reference against PyTorch's numbers in f64 (tests/oracle/ops.safetensors): y, every gradient, and what
// batch norm remembers. The fast paths are held against these references by each op's own test.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/gradient_check.hpp"
#include "ops/attention_gate.hpp"
#include "ops/average_pool.hpp"
#include "ops/batch_norm.hpp"
#include "ops/convolution.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/global_average.hpp"
#include "ops/linear.hpp"
#include "ops/max_pool.hpp"
#include "ops/relu.hpp"
#include "ops/root.hpp"
#include "ops/sigmoid.hpp"
#include "ops/soft_cross_entropy.hpp"
#include "ops/squared_distance.hpp"
#include "ops/upsample.hpp"
#include "tests/oracle/golden.hpp"

namespace {
using namespace autodidact;
using engine::apply, engine::Graph, engine::Mode, engine::Role, engine::Section, engine::Shape, engine::ValueId;
using Json = nlohmann::json;
using Numbers = std::vector<double>;

// Sums of at most a few hundred products in f64; logits of ±2000 lose the digits that their differences cancel.
constexpr double kTolerance = 1e-12;

const train::SafetensorsFile& golden() {
  static const train::SafetensorsFile file = testing::read_golden("ops");
  return file;
}

// One case of the file, "conv2d/grouped".
struct Case {
  std::string name, op;
  Json attributes;

  const train::TensorRecord* find(const std::string& tensor) const { return golden().find(name + "/" + tensor); }
  Numbers numbers(const std::string& tensor) const {
    CAPTURE(tensor);
    REQUIRE(find(tensor) != nullptr);
    return testing::numbers_of(*find(tensor));
  }
  Shape shape(const std::string& tensor) const { return Shape(std::span<const std::int64_t>(find(tensor)->shape)); }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& [name, attributes] : golden().metadata)
    if (const std::size_t slash = name.find('/'); slash != std::string::npos)
      all.push_back({name, name.substr(0, slash), Json::parse(attributes)});
  return all;
}

// The graph of a case. Inputs and parameters have the names of the file's tensors.
class CaseGraph {
 public:
  explicit CaseGraph(const Case& one) : case_(one), graph_() {}

  ValueId build();
  Graph& graph() { return graph_; }
  // Inputs that the file has no tensor for.
  const std::map<std::string, Numbers>& scalars() const { return scalars_; }

 private:
  ValueId input(const std::string& name, Role role = Role::activation) { return graph_.input(name, case_.shape(name), role); }
  ValueId parameter(const std::string& name) { return graph_.parameter(name, case_.shape(name)); }
  ValueId state(const std::string& name) {
    return graph_.state(name, case_.find(name) ? case_.shape(name) : case_.shape("gamma"));
  }
  ValueId scalar(const std::string& name, double number) {
    scalars_[name] = {number};
    return graph_.input(name, {}, Role::scalar);
  }
  template <class T>
  T attribute(const char* name) const {
    return case_.attributes.at(name).get<T>();
  }
  template <class O>
  ValueId node(O op, std::vector<ValueId> inputs) {
    return apply(graph_, "y", std::move(op), std::move(inputs));
  }

  ValueId convolution();
  ValueId batch_norm(ops::Tail tail);
  ValueId feature_distance();

  const Case& case_;
  Graph graph_;
  std::map<std::string, Numbers> scalars_;
};

ValueId CaseGraph::convolution() {
  const auto stride = attribute<std::int64_t>("stride"), pad = attribute<std::int64_t>("padding"),
             dilation = attribute<std::int64_t>("dilation");
  return node(ops::Convolution({attribute<std::int64_t>("groups"), stride, stride, pad, pad, dilation, dilation}),
              {input("x"), parameter("w")});
}

ValueId CaseGraph::batch_norm(ops::Tail tail) {
  std::vector<ValueId> inputs{input("x"), parameter("gamma"), parameter("beta"), state("running_mean"), state("running_var")};
  if (tail == ops::Tail::add_relu) inputs.push_back(input("shortcut"));
  return node(ops::BatchNorm({attribute<double>("epsilon"), case_.attributes.value("momentum", 0.1)}, tail), std::move(inputs));
}

ValueId CaseGraph::feature_distance() {
  const std::vector<ValueId> inputs{input("x"), input("teacher")};
  if (attribute<std::string>("kind") == "squares") return node(ops::SquaredDistance(), inputs);
  return node(ops::Root(), {apply(graph_, "squares", ops::SquaredDistance(), inputs)});
}

ValueId CaseGraph::build() {
  const auto size = [&](const char* name) { return attribute<std::int64_t>(name); };
  const std::map<std::string, std::function<ValueId()>> makers{
      {"conv2d", [&] { return convolution(); }},
      {"batch_norm", [&] { return batch_norm(ops::Tail::none); }},
      {"bn_relu", [&] { return batch_norm(ops::Tail::relu); }},
      {"bn_add_relu", [&] { return batch_norm(ops::Tail::add_relu); }},
      {"bilinear", [&] { return node(ops::Upsample(size("height"), size("width")), {input("x")}); }},
      {"attention_gate", [&] { return node(ops::AttentionGate(), {input("x"), input("a")}); }},
      {"max_pool2d", [&] { return node(ops::MaxPool(size("kernel"), size("stride"), size("padding")), {input("x")}); }},
      {"avg_pool2d", [&] { return node(ops::AveragePool(size("kernel"), size("stride"), size("padding")), {input("x")}); }},
      {"global_avg_pool", [&] { return node(ops::GlobalAverage(), {input("x")}); }},
      {"relu", [&] { return node(ops::Relu(), {input("x")}); }},
      {"sigmoid", [&] { return node(ops::Sigmoid(), {input("x")}); }},
      {"linear", [&] { return node(ops::Linear(), {input("x"), parameter("w"), parameter("b")}); }},
      {"cross_entropy",
       [&] {
         return node(ops::CrossEntropy(), {input("x"), input("label1", Role::label), input("label2", Role::label),
                                           scalar("mix", attribute<double>("weight")), scalar("smoothing", attribute<double>("smoothing")),
                                           scalar("inv_batch", 1 / static_cast<double>(case_.shape("x")[0]))});
       }},
      {"soft_cross_entropy",
       [&] {
         return node(ops::SoftCrossEntropy(), {input("x"), input("teacher"), scalar("T", attribute<double>("temperature")),
                                               scalar("inv_batch", 1 / static_cast<double>(case_.shape("x")[0]))});
       }},
      {"feature_distance", [&] { return feature_distance(); }},
  };
  REQUIRE(makers.contains(case_.op));
  return makers.at(case_.op)();
}

void check_equal(const Case& one, const std::string& tensor, const Numbers& ours) {
  const Numbers expected = one.numbers(tensor);
  CAPTURE(tensor);
  REQUIRE(ours.size() == expected.size());
  CHECK(engine::relative_error(ours, expected) <= kTolerance);
}

void check_case(const Case& one) {
  CAPTURE(one.name);
  static engine::Lanes lanes(1);
  CaseGraph made(one);
  made.graph().output("y", made.build());
  const Graph& graph = made.graph();
  engine::CompileOptions options;
  options.backend = engine::Backend::reference;
  options.mode = one.attributes.value("training", true) ? Mode::train : Mode::infer;
  options.cotangents = {"y"};
  for (const engine::Value& value : graph.values())
    if (value.source == engine::Source::input && one.find("d" + value.name)) options.differentiate.push_back(value.name);
  engine::Program program = engine::compile(graph, options, lanes);
  engine::ParameterStore store(std::make_shared<const engine::ParameterLayout>(graph), engine::DType::f64);

  for (const auto& slot : store.layout().parameters()) store.set(Section::values, slot, one.numbers(slot.name));
  for (const auto& slot : store.layout().states())
    if (one.find(slot.name)) store.set(Section::states, slot, one.numbers(slot.name));
  for (const engine::Value& value : graph.values())
    if (value.source == engine::Source::input)
      program.set(value.name, made.scalars().contains(value.name) ? made.scalars().at(value.name) : one.numbers(value.name));
  program.set("d/y", one.numbers("dy"));
  engine::Executor(lanes).run(program, store);

  check_equal(one, "y", program.get("y"));
  for (const std::string& name : options.differentiate) check_equal(one, "d" + name, program.get("d/" + name));
  for (const auto& slot : store.layout().parameters()) check_equal(one, "d" + slot.name, store.get(Section::gradients, slot));
  for (const auto& slot : store.layout().states())
    if (one.find(slot.name + "_after")) check_equal(one, slot.name + "_after", store.get(Section::staged_states, slot));
}
}  // namespace

TEST_CASE("oracle: every case of every op is PyTorch's") {
  std::set<std::string> seen;
  for (const Case& one : cases()) {
    check_case(one);
    seen.insert(one.op);
  }
  CHECK(cases().size() > 70);
  CHECK(seen.size() == 15);
}
