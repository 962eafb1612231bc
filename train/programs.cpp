#include "train/programs.hpp"

#include <string>

#include "model/distillation_loss.hpp"
#include "ops/fusions.hpp"

namespace autodidact::train {

engine::Graph training_graph(const model::NetworkOptions& network, const model::Recipe& recipe,
                             std::int64_t batch) {
  engine::Graph graph;
  const model::Network built = model::build_network(graph, network, batch);
  model::add_distillation_loss(graph, built, recipe);
  return graph;
}

Programs::Programs(model::NetworkOptions network, model::Recipe recipe, engine::Lanes& lanes,
                   engine::Choose choose, engine::Backend backend)
    : network_(std::move(network)),
      recipe_(std::move(recipe)),
      lanes_(lanes),
      choose_(choose),
      backend_(backend) {
  // Parameters do not depend on the batch; two samples are the least that every batch norm can average.
  layout_ = std::make_shared<const engine::ParameterLayout>(training_graph(network_, recipe_, 2));
}

engine::Program Programs::make(std::int64_t batch, engine::Mode mode, const engine::Program* inherit) {
  const engine::Graph graph = training_graph(network_, recipe_, batch);
  engine::CompileOptions options;
  options.backend = backend_;
  options.mode = mode;
  options.choose = choose_;
  options.fusions = ops::fusion_rules();
  options.inherit = inherit;
  options.gradients = mode == engine::Mode::train;
  for (const auto& [name, value] : graph.outputs())
    if (name.starts_with("logits/") || (mode == engine::Mode::train && name.starts_with("loss/")))
      options.outputs.push_back(name);
  engine::Program program = engine::compile(graph, options, lanes_);
  for (const auto& [name, value] : model::loss_scalars(recipe_, batch))
    if (program.inputs().contains(name)) program.set(name, {&value, 1});
  return program;
}

engine::Program& Programs::training(std::int64_t batch) {
  auto& program = training_[batch];
  if (!program) program = std::make_unique<engine::Program>(make(batch, engine::Mode::train, main_));
  if (!main_) main_ = program.get();
  return *program;
}

engine::Program& Programs::inference(std::int64_t batch) {
  auto& program = inference_[batch];
  if (!program) program = std::make_unique<engine::Program>(make(batch, engine::Mode::infer, main_));
  return *program;
}
}  // namespace autodidact::train
