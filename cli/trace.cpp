// `autodidact trace`
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/optimizer_arguments.hpp"
#include "data/error.hpp"
#include "train/errors.hpp"
#include "train/trace.hpp"

namespace autodidact::cli {
namespace {

struct TraceArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  OptimizerArguments optimizer;
  CompileArguments compile;
  std::string weights, batch, out, backend = "fast";
  bool as_trained = false;

  void declare(App& arguments) {
    CLI::App& app = *arguments;
    app.add_option("--weights", weights, "weights (safetensors)")->required();
    app.add_option("--batch", batch, "the batch (safetensors): images F32 N,C,H,W, normalised; labels I64 N")->required();
    app.add_option("--out", out, "file to write (safetensors)")->required();
    network.declare(app);
    app.add_option("--classes", images.classes, "number of classes")->check(CLI::Range(2, 1000000));
    recipe.declare(app);
    optimizer.declare(arguments);
    app.add_flag("--as-trained", as_trained,
                 "trace the program that train runs, fused and reusing memory, and write what survives; without it all is "
                 "kept, and --choose measure means direct");
    app.add_option("--backend", backend, "fast, or reference: the textbook in f64, written as F64")
        ->check(CLI::IsMember({"fast", "reference"}));
    compile.declare(app);
  }
};

// What the file says of its network; options win. The batch decides on channels and size.
train::ModelInfo describe_network(TraceArguments& trace, const train::SafetensorsFile& weights, const CLI::App& app) {
  const train::ModelInfo info = info_of(weights, app, trace.network, trace.recipe, trace.images);
  trace.recipe.recipe = info.recipe;
  return info;
}

train::TraceOptions options_of(const TraceArguments& trace, const train::ModelInfo& info, const engine::Shape& images) {
  train::TraceOptions options;
  options.recipe = trace.recipe.value();
  options.network = train::network_of(info);
  options.network.branches = options.recipe.branches;
  options.network.adaptation = adaptation_exits(trace.recipe, options.network.pooling == model::Pooling::seed_window);
  options.network.channels = images[1];
  options.network.image_height = images[2];
  options.network.image_width = images[3];
  options.optimizer = trace.optimizer.options();
  options.learning_rate = trace.optimizer.lr;
  options.backend = trace.backend == "reference" ? engine::Backend::reference : engine::Backend::fast;
  const train::ProgramOptions programs = trace.compile.programs();
  options.precision = programs.precision;
  options.as_trained = trace.as_trained;
  options.choose = trace.compile.choice();
  options.recompute = programs.recompute;
  options.branches = programs.branches;
  if (!trace.as_trained && options.choose == engine::Choose::measure) options.choose = engine::Choose::direct;
  return options;
}

void require_channels(const TraceArguments& trace, const train::SafetensorsFile& weights, const engine::Shape& images) {
  const train::TensorRecord* stem = weights.find("conv1.weight");
  if (stem && stem->shape.size() == 4 && stem->shape[1] != images[1])
    throw data::DataError(fmt::format("{}: images must have the {} channels that conv1.weight takes, got {}", trace.batch,
                                      stem->shape[1], images.text()));
}
}  // namespace

int run_trace(const Arguments& arguments) {
  TraceArguments trace;
  App app("trace", "One training step on a given batch; writes every value, gradient and updated parameter, by name.");
  trace.declare(app);
  leave_network_to_weights(app);
  app.parse(arguments);
  if (trace.compile.precision == "auto") throw std::invalid_argument("trace times nothing: --precision must be f32 or bf16");
  if (trace.compile.precision == "bf16" && trace.backend == "reference")
    throw std::invalid_argument("the reference backend computes in f64: it has no --precision");

  const train::SafetensorsFile weights = train::read_safetensors(trace.weights);
  const train::ModelInfo info = describe_network(trace, weights, *app);
  const train::TraceBatch batch = train::read_trace_batch(trace.batch, info.classes);
  require_channels(trace, weights, batch.shape);
  const train::TraceOptions options = options_of(trace, info, batch.shape);

  engine::Lanes lanes(trace.compile.threads);
  const train::Trace result = train::trace_step(options, weights, batch, lanes);
  for (const std::string& name : result.ignored)
    fmt::print(stderr, "{}: ignored {}, which the network does not have\n", trace.weights, name);
  train::ModelInfo traced = train::describe(options.network, options.recipe.name);
  traced.class_names = info.class_names;
  train::write_trace(trace.out, train::to_metadata(traced), result, options.backend);
  fmt::print("{}: {} tensors of one step of {}, loss {:.6g}\n", trace.out, result.tensors.size(), options.network.model,
             result.loss);
  if (result.nonfinite)
    throw train::NumericalError(fmt::format("the step is not finite, first {} ({}) in {}; {} holds all of it",
                                            result.nonfinite->tensor, engine::name_of(result.nonfinite->pass),
                                            result.nonfinite->task, trace.out));
  return 0;
}
}  // namespace autodidact::cli
