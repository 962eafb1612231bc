#include "train/step_check.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "engine/gradient_check.hpp"
#include "model/distillation_loss.hpp"

namespace autodidact::train {
namespace {
using engine::ParameterStore, engine::Program, engine::Section;

double products_forward(const engine::Graph& graph) {
  double products = 0;
  for (const engine::Node& node : graph.nodes()) {
    if (node.op->kind() != "convolution") continue;
    const engine::Shape& w = graph.value(node.inputs[1]).shape;
    products += static_cast<double>(graph.value(node.outputs[0]).shape.count()) * static_cast<double>(w.count() / w[0]);
  }
  return products;
}

// Everything that a step writes, by name.
std::map<std::string, std::vector<double>> results(const Program& program, const ParameterStore& store) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& [name, terminal] : program.outputs())
    if (name.starts_with("loss/")) all[name] = program.get(name);
  for (const std::string& name : program.gradients())
    all["d/" + name] = store.get(Section::gradients, *store.layout().parameter(name));
  for (const engine::Slot& slot : store.layout().states()) all[slot.name] = store.get(Section::staged_states, slot);
  return all;
}

Program plain_program(const engine::Graph& graph, engine::Backend backend, engine::Lanes& lanes) {
  engine::CompileOptions options;
  options.backend = backend;
  options.choose = engine::Choose::direct;
  options.reuse = false;
  options.branches = engine::Branches::in_turn;
  for (const auto& [name, value] : graph.outputs())
    if (name.starts_with("loss/")) options.outputs.push_back(name);
  return engine::compile(graph, options, lanes);
}

std::map<std::string, std::vector<double>> expected(Trainer& trainer, const data::Batch& batch, const engine::Graph& graph,
                                                    engine::Backend backend) {
  engine::Lanes& lanes = trainer.executor().lanes();
  Program program = plain_program(graph, backend, lanes);
  for (const auto& [name, value] : model::loss_scalars(trainer.programs().recipe(), static_cast<std::int64_t>(batch.count)))
    if (program.inputs().contains(name)) program.set(name, {&value, 1});
  ParameterStore store(trainer.programs().layout(), program.number_type());
  for (const engine::Slot& slot : store.layout().parameters())
    store.set(Section::values, slot, trainer.store().get(Section::values, slot));
  for (const engine::Slot& slot : store.layout().states())
    store.set(Section::states, slot, trainer.store().get(Section::states, slot));
  store.touched();
  Trainer::feed(program, batch);
  engine::Executor(lanes).run(program, store);
  return results(program, store);
}

double norm(const std::vector<double>& numbers) {
  return std::sqrt(std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
}

double distance(std::vector<double> numbers, const std::vector<double>& others) {
  std::transform(numbers.begin(), numbers.end(), others.begin(), numbers.begin(), std::minus<>());
  return norm(numbers);
}

double norm_of_gradients(const std::map<std::string, std::vector<double>>& all) {
  double squares = 0;
  for (const auto& [name, numbers] : all)
    if (name.starts_with("d/")) squares += std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0);
  return std::sqrt(squares);
}

// For as long as it lives, the last batch norm of each residual branch is damped.
class DampedBranches {
 public:
  explicit DampedBranches(ParameterStore& store) : store_(store) {
    for (const engine::Slot& slot : store.layout().parameters())
      if (ends_branch(slot.name)) {
        auto gamma = kept_.emplace_back(&slot, store.get(Section::values, slot)).second;
        for (double& value : gamma) value *= kBf16Damping;
        store.set(Section::values, slot, gamma);
      }
    store.touched();
  }
  ~DampedBranches() {
    for (const auto& [slot, gamma] : kept_) store_.set(Section::values, *slot, gamma);
    store_.touched();
  }
  DampedBranches(const DampedBranches&) = delete;
  DampedBranches& operator=(const DampedBranches&) = delete;

 private:
  // γ of bn3, or of bn2 where a block has no third.
  bool ends_branch(const std::string& name) const {
    constexpr std::string_view kSecond = "bn2.weight", kThird = "bn3.weight";
    if (!name.starts_with("layer")) return false;
    if (name.ends_with(kThird)) return true;
    return name.ends_with(kSecond) && !store_.layout().parameter(name.substr(0, name.size() - kSecond.size()).append(kThird));
  }

  ParameterStore& store_;
  std::vector<std::pair<const engine::Slot*, std::vector<double>>> kept_;
};
}  // namespace

bool StepCheck::passed() const {
  return std::all_of(errors.begin(), errors.end(), [&](const auto& error) { return error.second <= tolerance(); });
}

StepCheck check_step(Trainer& trainer, const data::Batch& batch) {
  const auto count = static_cast<std::int64_t>(batch.count);
  StepCheck check;
  check.bf16 = trainer.options().programs.precision == engine::Precision::bf16;
  Program& program = trainer.prepare(count);
  std::optional<DampedBranches> damped;
  if (check.bf16) damped.emplace(trainer.store());
  Trainer::feed(program, batch);
  trainer.executor().run(program, trainer.store());
  const auto ours = results(program, trainer.store());
  trainer.store().discard();

  const engine::Graph graph = training_graph(trainer.programs().network(), trainer.programs().recipe(), count);
  const bool small = products_forward(graph) <= kTextbookProducts;
  const auto theirs = expected(trainer, batch, graph, small ? engine::Backend::reference : engine::Backend::fast);
  check.against = small ? "the textbook in f64" : "direct algorithms, nothing fused, reused or side by side";
  for (const engine::Task& task : program.tasks()) check.winograd |= task.candidate == "winograd";
  const double least = check.bf16 ? kBf16Floor * norm_of_gradients(theirs) : 0;
  for (const auto& [name, numbers] : theirs) {
    const double error = engine::relative_error(ours.at(name), numbers);
    check.errors[name] = name.starts_with("d/") && norm(numbers) < least ? distance(ours.at(name), numbers) / least : error;
  }
  return check;
}
}  // namespace autodidact::train
