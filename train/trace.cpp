#include "train/trace.hpp"

#include <fmt/format.h>

#include <cmath>

#include "data/error.hpp"
#include "model/distillation_loss.hpp"
#include "ops/fusions.hpp"
#include "train/image_batch.hpp"
#include "train/programs.hpp"
#include "train/survivors.hpp"
#include "train/weights.hpp"

namespace autodidact::train {
using engine::Backend, engine::Section, engine::Shape, engine::Slot;

namespace {

FileShape file_shape(const Shape& shape) {
  FileShape extents;
  for (int axis = 0; axis < shape.rank(); ++axis) extents.push_back(shape[axis]);
  return extents;
}

// One training step with its program, and what it leaves behind.
class TracedStep {
 public:
  TracedStep(const TraceOptions& options, const SafetensorsFile& weights, const TraceBatch& batch, engine::Lanes& lanes)
      : options_(options), lanes_(lanes), graph_(make_graph(options, batch.shape[0])),
        store_(std::make_shared<const engine::ParameterLayout>(graph_),
               options.backend == Backend::reference ? engine::DType::f64 : engine::DType::f32),
        executor_(lanes) {
    trace_.ignored = load_weights(weights, store_).ignored;
    program_.emplace(engine::compile(graph_, compile_options(), lanes));
    program_->set("images", batch.images);
    for (const char* name : {"labels", "second_labels"}) program_->set(name, batch.labels);
    for (const auto& [name, value] : model::loss_scalars(options.recipe, batch.shape[0]))
      program_->set(name, {&value, 1});
  }

  Trace run() {
    executor_.run(*program_, store_);
    trace_.loss = program_->scalar("loss/total");
    take_values();
    for (const std::string& name : program_->gradients()) {
      const Slot& slot = *store_.layout().parameter(name);
      trace_.tensors.push_back({"grad/" + name, slot.shape, store_.get(Section::gradients, slot)});
    }
    if (!all_finite()) {
      trace_.nonfinite = executor_.run_checked(*program_, store_);
      executor_.run(*program_, store_);  // the checked run has stopped half-way, with its gradients and statistics
    }
    update();
    return std::move(trace_);
  }

 private:
  static engine::Graph make_graph(const TraceOptions& options, std::int64_t batch) {
    engine::Graph graph = training_graph(options.network, options.recipe, batch);
    if (options.as_trained) return graph;
    for (const engine::Node& node : graph.nodes())
      for (const engine::ValueId id : node.outputs) graph.output("value/" + graph.value(id).name, id);
    return graph;
  }

  engine::CompileOptions compile_options() const {
    engine::CompileOptions compile;
    compile.backend = options_.backend;
    compile.precision = options_.precision;
    compile.choose = options_.choose;
    compile.reuse = options_.as_trained;
    compile.branches = options_.branches;
    if (options_.as_trained) compile.recompute = options_.recompute;
    if (!options_.as_trained) return compile;
    compile.fusions = ops::fusion_rules();
    for (const auto& [name, value] : graph_.outputs())
      if (!name.starts_with("feature/")) compile.outputs.push_back(name);  // as train asks for
    return compile;
  }

  void take_values() {
    for (const auto& [name, terminal] : program_->outputs())
      trace_.tensors.push_back({name, terminal.type.shape, program_->get(name)});
    if (!options_.as_trained) return;
    for (Survivor& value : survivors(*program_, graph_, executor_.arena()))
      trace_.tensors.push_back({std::move(value.name), value.shape, std::move(value.numbers)});
  }

  bool all_finite() const {
    for (const TracedTensor& tensor : trace_.tensors)
      for (const double number : tensor.numbers)
        if (!std::isfinite(number)) return false;
    return true;
  }

  void update() {
    const auto rule = optim::make_update_rule(options_.optimizer, store_.layout(), program_->gradients());
    rule->prepare(store_);
    lanes_.run_wide([&](engine::Lane& lane) { rule->step(lane, store_, {.learning_rate = options_.learning_rate}); });
    store_.commit();
    for (const Slot& slot : store_.layout().parameters())
      trace_.tensors.push_back({"after/" + slot.name, slot.shape, store_.get(Section::values, slot)});
    for (const Slot& slot : store_.layout().states())
      trace_.tensors.push_back({"after/" + slot.name, slot.shape, store_.get(Section::states, slot)});
  }

  const TraceOptions& options_;
  engine::Lanes& lanes_;
  engine::Graph graph_;
  engine::ParameterStore store_;
  engine::Executor executor_;
  std::optional<engine::Program> program_;
  Trace trace_;
};

template <class T>
void write_as(const std::filesystem::path& path, const Metadata& metadata, const Trace& trace) {
  std::vector<std::vector<T>> numbers;
  std::vector<TensorView> views;
  numbers.reserve(trace.tensors.size());
  for (const TracedTensor& tensor : trace.tensors) {
    numbers.emplace_back(tensor.numbers.begin(), tensor.numbers.end());
    views.push_back(view_of<T>(tensor.name, file_shape(tensor.shape), numbers.back()));
  }
  write_safetensors(path, metadata, views);
}
}  // namespace

TraceBatch read_trace_batch(const std::filesystem::path& path, std::int64_t classes) {
  const ImageBatch batch = read_image_batch(path, classes);
  if (batch.labels.empty()) throw data::DataError(fmt::format("{} has no tensor \"labels\"", path.string()));
  return {batch.shape, {batch.images.begin(), batch.images.end()}, {batch.labels.begin(), batch.labels.end()}};
}

Trace trace_step(const TraceOptions& options, const SafetensorsFile& weights, const TraceBatch& batch,
                 engine::Lanes& lanes) {
  if (options.as_trained && options.backend == Backend::reference)
    throw std::invalid_argument("the reference backend fuses and reuses nothing: it cannot trace a step as trained");
  return TracedStep(options, weights, batch, lanes).run();
}

void write_trace(const std::filesystem::path& path, const Metadata& metadata, const Trace& trace, Backend backend) {
  if (backend == Backend::reference) write_as<double>(path, metadata, trace);
  else write_as<float>(path, metadata, trace);
}
}  // namespace autodidact::train
