// `autodidact eval`
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "data/source.hpp"
#include "train/precision.hpp"
#include "train/progress.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {
namespace {

struct EvalArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  CompileArguments compile;
  JsonOutput json;
  std::string weights, data;
  std::size_t batch = 128;

  void declare(CLI::App& app) {
    app.add_option("--weights", weights, "weights (safetensors)")->required();
    app.add_option("--data", data, "as for train; its test half is used")->required();
    app.add_option("--batch", batch, "images at a time")->check(CLI::Range(1, 1000000));
    network.declare(app);
    recipe.declare_name(app);
    images.declare(app);
    compile.declare(app);
    json.declare(app);
  }
};

// The network of the weights for the data's images. Logits need no adaptation layer, whatever the file holds.
model::NetworkOptions network_for(train::ModelInfo info, const data::Source& source) {
  info.side = source.side;  // global pooling takes any
  model::NetworkOptions network = train::network_of(info);
  network.adaptation.clear();
  return network;
}

void name_ignored(const train::LoadReport& report) {
  for (const std::string& name : report.ignored)
    if (!name.starts_with("adaptation_layers.")) fmt::print(stderr, "ignored: {}\n", name);
}

// The figures that the weights were trained with; the data's own only if the file does not say.
data::Normalisation normalisation_of(const train::ModelInfo& info, const data::Source& source) {
  if (!info.mean.empty()) return {info.mean, info.std};
  if (source.normalisation) return *source.normalisation;
  return data::measure_normalisation(*source.test);
}

void require_fit(const train::ModelInfo& info, const data::Source& source) {
  if (info.channels != source.channels || info.classes < static_cast<int>(source.class_names.size()))
    throw std::invalid_argument(fmt::format(
        "the network takes {} channels and knows {} classes, the data has {} channels and {} classes", info.channels,
        info.classes, source.channels, source.class_names.size()));
}
}  // namespace

int run_eval(const Arguments& arguments) {
  EvalArguments eval;
  App app("eval", "Accuracy of every exit and of the ensemble on the test half of a data set.");
  eval.declare(*app);
  leave_network_to_weights(*app);
  app.parse(arguments);

  const train::SafetensorsFile weights = train::read_safetensors(eval.weights);
  const train::ModelInfo info = info_of(weights, *app, eval.network, eval.recipe, eval.images);
  const data::Source source = data::open_source(eval.data, data::Parts::test_only);
  require_fit(info, source);

  engine::Lanes lanes(eval.compile.threads);
  train::TrainerOptions options;
  options.network = network_for(info, source);
  options.recipe = model::recipe_by_name(options.network.branches ? "none" : "baseline");  // eval needs no loss
  options.programs = eval.compile.programs();
  train::Trainer trainer(train::with_precision(options, static_cast<std::int64_t>(eval.batch), engine::Mode::infer, lanes), lanes);
  name_ignored(train::load_weights(weights, trainer.store()));

  data::Loader loader(source.test,
                      data::Augmentation({.kind = data::Augment::none}, source.test->shape(), normalisation_of(info, source)),
                      {.batch = eval.batch, .min_last = 1, .order = data::Order::sequential});
  const train::ExitAccuracies accuracies = trainer.evaluate(loader);

  nlohmann::ordered_json json;
  const auto number = [](double value) { return std::isfinite(value) ? nlohmann::ordered_json(value) : nullptr; };
  for (const double accuracy : accuracies.exits) json["exits"].push_back(number(accuracy));
  json["ensemble"] = number(accuracies.ensemble);
  json["images"] = source.test->size();
  // Without --json the figures are the program's result, for scripts, and the table is for the eye.
  const train::ExitTableRow row{"test", accuracies};
  fmt::print(eval.json.wanted() && !eval.json.to_stdout() ? stdout : stderr, "{}",
             train::exit_table(fmt::format("{} images, accuracy in %", source.test->size()), {&row, 1}));
  if (eval.json.wanted()) eval.json.write(json);
  else fmt::print("{}\n", json.dump());
  return 0;
}
}  // namespace autodidact::cli
