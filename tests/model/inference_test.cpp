// Whole networks with their batch norms folded into the convolutions compute what they computed before.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/compile/compile.hpp"
#include "engine/executor.hpp"
#include "engine/gradient_check.hpp"
#include "engine/random.hpp"
#include "model/network.hpp"
#include "ops/fusions.hpp"
#include "tests/ops/op_harness.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Choose, engine::CompileOptions, engine::Section;
using Numbers = std::vector<double>;

// 2e-7 a sum, through up to 60 layers; nothing cancels as it does backward.
constexpr double kTolerance = 1e-5;

model::NetworkOptions narrow(const char* name, std::int64_t width) {
  model::NetworkOptions options;
  options.model = name;
  options.width = width;
  options.classes = 10;
  options.image_height = options.image_width = 16;
  return options;
}

// Weights and statistics as after some training: those of a new network would be folded with 1 and 0.
void make_up(engine::ParameterStore& store) {
  engine::Random random(3, engine::Purpose::probe);
  const auto set = [&](Section section, const engine::Slot& slot, double mean, double deviation, bool positive) {
    Numbers numbers(static_cast<std::size_t>(slot.count));
    // Rounded to f32, so that both backends start from the same numbers.
    for (double& number : numbers) {
      number = static_cast<float>(mean + deviation * random.normal());
      if (positive) number = std::abs(number) + 0.25F;
    }
    store.set(section, slot, numbers);
  };
  for (const engine::Slot& slot : store.layout().parameters()) {
    const bool weights = slot.shape.rank() > 1;
    const double inputs = static_cast<double>(slot.count / slot.shape[0]);
    set(Section::values, slot, weights ? 0 : 0.5, weights ? std::sqrt(2 / inputs) : 0.25, false);
  }
  for (const engine::Slot& slot : store.layout().states())
    set(Section::states, slot, 0, 0.5, slot.name.ends_with("var"));
  store.touched();
}

struct Outcome {
  std::map<std::string, Numbers> logits;
  std::size_t folded = 0, batch_norms = 0, winograd = 0;
};

Outcome infer(const model::NetworkOptions& network, CompileOptions options, engine::Lanes& lanes) {
  engine::Graph graph;
  model::build_network(graph, network, 2);
  options.mode = engine::Mode::infer;
  options.gradients = false;
  options.outputs = {"logits/1", "logits/2", "logits/3", "logits/4"};
  engine::Program program = engine::compile(graph, options, lanes);
  engine::ParameterStore store(std::make_shared<const engine::ParameterLayout>(graph), program.number_type(), false);
  make_up(store);
  Numbers images(static_cast<std::size_t>(program.inputs().at("images").type.shape.count()));
  engine::Random random(4, engine::Purpose::probe);
  for (double& pixel : images) pixel = static_cast<float>(random.normal());
  program.set("images", images);
  engine::Executor executor(lanes);
  for (int run = 0; run < 2; ++run) executor.run(program, store);  // the second without packing
  Outcome outcome;
  for (const std::string& name : options.outputs) outcome.logits[name] = program.get(name);
  for (const engine::Task& task : program.tasks()) {
    outcome.folded += task.pack && task.write_names.front().find("running_mean") != std::string::npos;
    outcome.batch_norms += task.name.find("bn") != std::string::npos && task.candidate == "own";
    outcome.winograd += task.candidate == "winograd" && !task.pack;
  }
  return outcome;
}

double difference(const Outcome& ours, const Outcome& theirs) {
  double worst = 0;
  for (const auto& [name, numbers] : ours.logits)
    worst = std::max(worst, engine::relative_error(numbers, theirs.logits.at(name)));
  return worst;
}
}  // namespace

TEST_CASE("inference: folding the batch norms leaves the logits as they were") {
  engine::Lanes lanes;
  for (const auto& network : {narrow("resnet18", 16), narrow("resnet50", 8), narrow("resnext50_32x4d", 16)}) {
    CAPTURE(network.model);
    const Outcome reference = infer(network, {.backend = Backend::reference}, lanes);
    for (const Choose choose : {Choose::direct, Choose::fixed}) {
      const Outcome apart = infer(network, {.choose = choose}, lanes);
      const Outcome folded = infer(network, {.choose = choose, .fusions = ops::fusion_rules()}, lanes);
      CHECK(apart.folded == 0);
      CHECK(folded.folded > 20);
      if (choose == Choose::fixed && network.model == "resnet18") CHECK((folded.winograd > 0) == testing::has_winograd());
      CHECK(folded.batch_norms == 0);
      MESSAGE(network.model, ", ", folded.folded, " folded, ", folded.winograd, " by Winograd: folded against reference ",
              difference(folded, reference), ", apart against reference ", difference(apart, reference),
              ", folded against apart ", difference(folded, apart));
      CHECK(difference(folded, reference) <= kTolerance);
      CHECK(difference(folded, apart) <= kTolerance);
    }
  }
}
