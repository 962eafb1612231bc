// Whole networks against PyTorch's numbers in f64 (tests/oracle/): one step with everything in it, and ten steps of SGD.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "engine/gradient_check.hpp"
#include "tests/oracle/golden.hpp"
#include "train/trace.hpp"
#include "train/trainer.hpp"
#include "train/weights.hpp"

namespace {
using namespace autodidact;
using engine::Backend, engine::Choose, engine::ParameterStore, engine::Section, engine::Slot;
using testing::GoldenStart, testing::numbers_of, testing::read_golden;
using train::SafetensorsFile, train::TensorRecord;

// ‖ours − golden‖₂ / max(‖golden‖₂, 1e-6·√n) of any tensor.
// reference: f64 sums of ≤ 1e4 products, each rounded at 1e-16, through some fifty batch norms and ten steps.
constexpr double kReferenceTolerance = 1e-9;
// f32, direct convolutions: 6e-8 a sum; a β in front of another batch norm cancels to 2e-5 (PyTorch's f32 does too).
constexpr double kDirectTolerance = 1e-4;
// The program of `train`: a Winograd transform loses two more digits.
constexpr double kTrainedTolerance = 1e-3;

constexpr double kLearningRate = 0.01;
constexpr int kSteps = 10;

engine::Lanes& lanes() {
  static engine::Lanes all;
  return all;
}

// The errors of a run, tensor by tensor, against a golden file.
class Comparison {
 public:
  void add(const std::string& name, const std::vector<double>& ours, const std::vector<double>& expected) {
    CAPTURE(name);
    REQUIRE(ours.size() == expected.size());
    const double error = engine::relative_error(ours, expected);
    if (error >= worst_) {
      worst_ = error;
      worst_name_ = name;
    }
    ++count_;
  }
  void check(double tolerance) const {
    if (count_ == 0) return;
    INFO("the worst of ", count_, " tensors is ", worst_name_);
    CHECK(worst_ <= tolerance);
  }
  int count() const { return count_; }

 private:
  double worst_ = 0;
  std::string worst_name_;
  int count_ = 0;
};

std::vector<double> difference(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

// "after1/X" and every other tensor of the first step, by the names of a trace; empty for the rest of the file.
std::string traced_name(const std::string& golden) {
  if (golden.starts_with("after1/")) return "after/" + golden.substr(7);
  for (const char* kind : {"logits/", "feature/", "loss/", "grad/"})
    if (golden.starts_with(kind)) return golden;
  return {};
}

void check_first_step(const SafetensorsFile& golden, const GoldenStart& start, Backend backend, double tolerance) {
  train::TraceOptions options;
  options.network = start.network;
  options.recipe = model::recipe_by_name(golden.metadata.at("recipe"));
  if (!options.recipe.adaptation) options.network.adaptation = {};
  options.backend = backend;
  options.learning_rate = kLearningRate;
  const auto batch = static_cast<std::int64_t>(start.batch.count);
  const train::TraceBatch traced{{batch, start.network.channels, start.network.image_height, start.network.image_width},
                                 {start.images.begin(), start.images.end()},
                                 {start.labels.begin(), start.labels.end()}};
  const train::Trace trace = train::trace_step(options, start.weights, traced, lanes());

  std::map<std::string, const train::TracedTensor*> ours;
  for (const auto& tensor : trace.tensors) ours[tensor.name] = &tensor;
  Comparison comparison;
  int gradients = 0;
  for (const TensorRecord& tensor : golden.tensors) {
    const std::string name = traced_name(tensor.name);
    if (name.empty()) continue;
    CAPTURE(name);
    REQUIRE(ours.contains(name));
    comparison.add(name, ours.at(name)->numbers, numbers_of(tensor));
    gradients += name.starts_with("grad/") ? 1 : 0;
  }
  comparison.check(tolerance);
  // Nor is there a gradient that PyTorch does not have.
  CHECK(gradients == std::count_if(ours.begin(), ours.end(), [](const auto& entry) { return entry.first.starts_with("grad/"); }));
  CHECK(gradients > 100);
}

void check_ten_steps(const SafetensorsFile& golden, const GoldenStart& start, Backend backend, Choose choose, double tolerance) {
  train::TrainerOptions options;
  options.network = start.network;
  options.programs.backend = backend;
  options.programs.choose = choose;
  train::Trainer trainer(options, lanes());
  train::load_weights(start.weights, trainer.store());
  Comparison comparison, moves;
  std::vector<double> losses;
  for (int step = 0; step < kSteps; ++step) losses.push_back(trainer.step(start.batch, kLearningRate).total);
  comparison.add("total10", losses, numbers_of(*golden.find("total10")));
  const auto compare = [&](Section section, const Slot& slot) {
    const TensorRecord* expected = golden.find("after10/" + slot.name);
    CAPTURE(slot.name);
    REQUIRE(expected != nullptr);
    const std::vector<double> ours = trainer.store().get(section, slot), theirs = numbers_of(*expected);
    comparison.add(slot.name, ours, theirs);
    if (backend != Backend::reference) return;  // in f32 a parameter holds few digits of how far it has come
    const std::vector<double> before = numbers_of(*start.weights.find(slot.name));
    moves.add(slot.name, difference(ours, before), difference(theirs, before));
  };
  for (const Slot& slot : trainer.store().layout().parameters()) compare(Section::values, slot);
  for (const Slot& slot : trainer.store().layout().states()) compare(Section::states, slot);
  comparison.check(tolerance);
  moves.check(tolerance);
  const auto in_file = std::count_if(golden.tensors.begin(), golden.tensors.end(),
                                     [](const TensorRecord& tensor) { return tensor.name.starts_with("after10/"); });
  CHECK(comparison.count() == in_file + 1);
}
}  // namespace

TEST_CASE("oracle: logits, features, losses, gradients and statistics of a step, and ten steps, are PyTorch's") {
  for (const std::string network : {"resnet18", "resnet50", "resnext50_32x4d"}) {
    CAPTURE(network);
    const SafetensorsFile golden = read_golden(network);
    const GoldenStart start(golden);
    REQUIRE(golden.metadata.at("momentum") == "0.9");  // what SgdOptions start with
    REQUIRE(golden.metadata.at("weight_decay") == "0.0005");
    check_first_step(golden, start, Backend::reference, kReferenceTolerance);
    check_first_step(golden, start, Backend::fast, kDirectTolerance);
    check_ten_steps(golden, start, Backend::reference, Choose::direct, kReferenceTolerance);
    check_ten_steps(golden, start, Backend::fast, Choose::direct, kDirectTolerance);
    check_ten_steps(golden, start, Backend::fast, Choose::fixed, kTrainedTolerance);
  }
}

TEST_CASE("oracle: the losses and gradients of the papers' recipes are PyTorch's") {
  const SafetensorsFile seed = read_golden("resnet18");
  const GoldenStart start(seed);
  for (const std::string recipe : {"resnet18_iccv2019", "resnet18_scan"}) {
    CAPTURE(recipe);
    const SafetensorsFile golden = read_golden(recipe);
    check_first_step(golden, start, Backend::reference, kReferenceTolerance);
    check_first_step(golden, start, Backend::fast, kDirectTolerance);
  }
}
