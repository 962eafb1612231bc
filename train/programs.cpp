#include "train/programs.hpp"

#include <fmt/format.h>

#include <string>

#include "ops/fusions.hpp"
#include "train/errors.hpp"
#include "train/plan_cache.hpp"
#include "train/progress.hpp"

namespace autodidact::train {

engine::Graph training_graph(const model::NetworkOptions& network, const model::Recipe& recipe,
                             std::int64_t batch, model::BatchPart part) {
  engine::Graph graph;
  const model::Network built = model::build_network(graph, network, batch);
  model::add_distillation_loss(graph, built, recipe, part);
  return graph;
}

Programs::Programs(model::NetworkOptions network, model::Recipe recipe, engine::Lanes& lanes,
                   ProgramOptions options)
    : network_(std::move(network)),
      recipe_(std::move(recipe)),
      lanes_(lanes),
      options_(std::move(options)) {
  if (options_.choose != engine::Choose::measure) options_.plan_cache.clear();
  // Parameters do not depend on the batch; two samples are the least that every batch norm can average.
  layout_ = std::make_shared<const engine::ParameterLayout>(training_graph(network_, recipe_, 2));
  if (options_.plan_cache.empty()) return;
  const std::string refusal = read_plan_cache(options_.plan_cache, engine::timings());
  if (!refusal.empty()) say(fmt::format("{}; measuring again\n", refusal));
}

engine::CompileOptions Programs::options_for(Use use, const engine::Program* inherit) const {
  const bool training = use == Use::training;
  engine::CompileOptions options;
  options.backend = options_.backend;
  options.precision = options_.precision;
  options.mode = training && !options_.freeze_batch_norm ? engine::Mode::train : engine::Mode::infer;
  options.choose = options_.choose;
  options.recompute = options_.recompute;
  options.prefer = options_.prefer;
  options.branches = options_.branches;
  options.fusions = ops::fusion_rules();
  options.inherit = inherit;
  options.gradients = training;
  return options;
}

engine::Program Programs::compile(const engine::Graph& graph, const engine::CompileOptions& options) {
  const std::size_t known = engine::timings().size();
  engine::Program program = engine::compile(graph, options, lanes_);
  if (engine::timings().size() != known) keep_timings();
  for (const std::string& sentence : program.dropped())
    if (said_.insert(sentence).second) say(fmt::format("dropped: {}\n", sentence));
  return program;
}

engine::Program Programs::make(std::int64_t batch, Use use, const engine::Program* inherit) {
  const engine::Graph graph = training_graph(network_, recipe_, batch, options_.part);
  engine::CompileOptions options = options_for(use, inherit);
  for (const auto& [name, value] : graph.outputs())
    if (name.starts_with("logits/") || (use == Use::training && (name.starts_with("loss/") || name.starts_with("squares/"))))
      options.outputs.push_back(name);
  engine::Program program = compile(graph, options);
  for (const auto& [name, value] : model::loss_scalars(recipe_, batch))
    if (program.inputs().contains(name)) program.set(name, {&value, 1});
  return program;
}

// A cache that cannot be kept costs the next start some seconds; it is no reason to end this run.
void Programs::keep_timings() {
  if (options_.plan_cache.empty()) return;
  try {
    write_plan_cache(options_.plan_cache, engine::timings());
  } catch (const ResourceError& error) {
    say(fmt::format("what was measured is not kept: {}\n", error.what()));
    options_.plan_cache.clear();
  }
}

engine::Program& Programs::training(std::int64_t batch) {
  auto& program = training_[batch];
  if (!program) program = std::make_unique<engine::Program>(make(batch, Use::training, main_));
  if (!main_) main_ = program.get();
  return *program;
}

engine::Program& Programs::inference(std::int64_t batch) {
  auto& program = inference_[batch];
  if (!program) program = std::make_unique<engine::Program>(make(batch, Use::inference, main_));
  return *program;
}

engine::Program Programs::segment(const Segment& segment, const SegmentOptions& options) {
  engine::CompileOptions compiled = options_for(Use::inference, &inference(options.inherit));
  const engine::Graph graph = segment_graph(network_, segment, options, compiled);
  return compile(graph, compiled);
}
}  // namespace autodidact::train
