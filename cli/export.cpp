// `autodidact export`
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "data/error.hpp"
#include "train/atomic_file.hpp"
#include "train/convert.hpp"
#include "train/hugging_face.hpp"
#include "train/onnx_export.hpp"

namespace autodidact::cli {
namespace {

struct ExportArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  std::string weights, onnx, folder, run;
  int exit = train::kAllExits;

  void declare(CLI::App& app) {
    app.add_option("--weights", weights, "weights (safetensors)")->required();
    app.add_option("--onnx", onnx, "ONNX file to write: input images, outputs logits1 to logits4");
    app.add_option("--exit", exit, "with --onnx: this exit only; 0 = all")->check(CLI::Range(0, model::kExits));
    app.add_option("--hf", folder, "folder to make: model.safetensors, config.json, preprocessor_config.json, README.md");
    app.add_option("--run", run, "with --hf: run directory with the figures of the weights; default: that beside them");
    network.declare(app);
    recipe.declare_name(app);
    images.declare(app);
  }
  void check() const {
    if (onnx.empty() && folder.empty()) throw std::invalid_argument("nothing to export: pass --onnx FILE, --hf DIR, or both");
    if (onnx.empty() && exit != train::kAllExits) throw std::invalid_argument("--exit needs --onnx");
    if (folder.empty() && !run.empty()) throw std::invalid_argument("--run needs --hf");
    if (!onnx.empty()) train::require_replaceable(onnx);
  }
};

// The run beside the weights need not be one, or be whole; one that was named must.
std::optional<train::MeasuredFigures> figures_for(const ExportArguments& arguments, const train::SafetensorsFile& weights,
                                                  const train::ModelInfo& info) {
  const std::filesystem::path beside = weights.path.has_parent_path() ? weights.path.parent_path() : std::filesystem::path(".");
  try {
    const train::RunRecord run = train::read_run(arguments.run.empty() ? beside : std::filesystem::path(arguments.run));
    const auto figures = train::figures_of(run, info, train::steps_of(weights));
    if (!figures && !arguments.run.empty())
      throw data::DataError(fmt::format("{}: no epoch of this run ended with the weights of {}", arguments.run, arguments.weights));
    return figures;
  } catch (const data::DataError&) {
    if (!arguments.run.empty()) throw;
    return {};
  }
}
}  // namespace

int run_export(const Arguments& arguments) {
  ExportArguments wanted;
  App app("export", "A network with its weights for other programs: an ONNX file, a folder for a hub of models.");
  wanted.declare(*app);
  leave_network_to_weights(app);
  app.parse(arguments);
  wanted.check();

  const train::SafetensorsFile weights = train::read_safetensors(wanted.weights);
  const train::ModelInfo info = info_of(weights, *app, wanted.network, wanted.recipe, wanted.images);
  const engine::ParameterStore store = train::inference_store(weights, info);
  if (!wanted.onnx.empty()) {
    train::write_onnx(wanted.onnx, info, store, wanted.exit);
    fmt::print("{}: {} for {} x {} x {} images\n", wanted.onnx, info.model, info.channels, info.side, info.side);
  }
  if (!wanted.folder.empty()) {
    const auto figures = figures_for(wanted, weights, info);
    train::write_hugging_face(wanted.folder, weights, info, figures);
    fmt::print("{}: {}, {}\n", wanted.folder, info.model,
               figures ? fmt::format("with the figures of epoch {:g}", figures->epoch) : "without figures: no run says what was measured");
  }
  return 0;
}
}  // namespace autodidact::cli
