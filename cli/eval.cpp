// `autodidact eval`
#include <fmt/format.h>

#include <charconv>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "data/error.hpp"
#include "data/source.hpp"
#include "train/atomic_file.hpp"
#include "train/image_batch.hpp"
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
  std::string weights, data, batch = "128", logits;

  void declare(CLI::App& app) {
    app.add_option("--weights", weights, "weights (safetensors)")->required();
    app.add_option("--data", data, "as for train; its test half is used");
    app.add_option("--batch", batch, "images at a time; or, in place of --data, a file of normalised images (safetensors)");
    app.add_option("--logits", logits, "with a file of images: file to write the logits of every exit into (safetensors)");
    network.declare(app);
    recipe.declare_name(app);
    images.declare(app);
    compile.declare(app);
    json.declare(app);
  }
  // --batch is one or the other; a file whose name is a number can be written ./128.
  bool batch_is_file() const { return batch.find_first_not_of("-0123456789") != std::string::npos; }
  std::int64_t images_at_a_time() const;
  void check() const;  // the mistakes that are seen without any file
};

constexpr std::int64_t kAtATime = 128, kMostAtATime = 1'000'000;

std::int64_t EvalArguments::images_at_a_time() const {
  if (batch_is_file()) return kAtATime;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(batch.data(), batch.data() + batch.size(), number);
  if (error != std::errc() || end != batch.data() + batch.size() || number < 1 || number > kMostAtATime)
    throw std::invalid_argument(fmt::format("--batch takes 1 to {} images at a time, or a file; got {}", kMostAtATime, batch));
  return number;
}

void EvalArguments::check() const {
  (void)images_at_a_time();
  if (batch_is_file() && !data.empty())
    throw std::invalid_argument(fmt::format("images come from --data or from --batch {}, not from both", batch));
  if (!batch_is_file() && data.empty()) throw std::invalid_argument("--data is required, or --batch with a file of images");
  if (!batch_is_file() && !logits.empty()) throw std::invalid_argument("--logits needs --batch with a file of images");
  if (!logits.empty()) train::require_replaceable(logits);
}

// The network of the weights for images of this size. Logits need no adaptation layer, whatever the file holds.
model::NetworkOptions network_for(const train::ModelInfo& info, std::int64_t height, std::int64_t width) {
  model::NetworkOptions network = train::network_of(info);
  network.image_height = height;  // global pooling takes any
  network.image_width = width;
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

void require_fit(const train::ModelInfo& info, const std::string& file, const engine::Shape& images) {
  if (images[1] != info.channels)
    throw data::DataError(fmt::format("{}: images must have the {} channels that the network takes, got {}", file, info.channels,
                                      images.text()));
}

nlohmann::ordered_json to_json(const train::ExitAccuracies& accuracies, std::int64_t images) {
  nlohmann::ordered_json json;
  const auto number = [](double value) { return std::isfinite(value) ? nlohmann::ordered_json(value) : nullptr; };
  for (const double accuracy : accuracies.exits) json["exits"].push_back(number(accuracy));
  json["ensemble"] = number(accuracies.ensemble);
  json["images"] = images;
  return json;
}

// Without --json the figures are the program's result, for scripts, and the table is for the eye.
void report(const JsonOutput& output, const train::ExitAccuracies& accuracies, std::int64_t images) {
  const train::ExitTableRow row{"test", accuracies};
  fmt::print(output.wanted() && !output.to_stdout() ? stdout : stderr, "{}",
             train::exit_table(fmt::format("{} images, accuracy in %", images), {&row, 1}));
  if (output.wanted()) output.write(to_json(accuracies, images));
  else fmt::print("{}\n", to_json(accuracies, images).dump());
}

class Evaluation {
 public:
  explicit Evaluation(const EvalArguments& eval, const train::SafetensorsFile& weights, const train::ModelInfo& info)
      : eval_(eval), weights_(weights), info_(info), lanes_(eval.compile.threads) {}

  void of_data() {
    const data::Source source = data::open_source(eval_.data, data::Parts::test_only);
    require_fit(info_, source);
    train::Trainer trainer = make_trainer(source.side, source.side);
    data::Loader loader(source.test,
                        data::Augmentation({.kind = data::Augment::none}, source.test->shape(), normalisation_of(info_, source)),
                        {.batch = static_cast<std::size_t>(eval_.images_at_a_time()), .min_last = 1, .order = data::Order::sequential});
    report(eval_.json, trainer.evaluate(loader), static_cast<std::int64_t>(source.test->size()));
  }

  void of_batch() {
    const train::ImageBatch batch = train::read_image_batch(eval_.batch, info_.classes);
    require_fit(info_, eval_.batch, batch.shape);
    train::Trainer trainer = make_trainer(batch.shape[2], batch.shape[3]);
    const train::BatchLogits logits = train::logits_of(trainer, batch, kAtATime);
    if (!eval_.logits.empty()) train::write_logits(eval_.logits, train::to_metadata(info_), logits, batch.shape[0]);
    report(eval_.json, logits.accuracies, batch.shape[0]);
  }

 private:
  train::Trainer make_trainer(std::int64_t height, std::int64_t width) {
    train::TrainerOptions options;
    options.network = network_for(info_, height, width);
    options.recipe = model::recipe_by_name(options.network.branches ? "none" : "baseline");  // eval needs no loss
    options.programs = eval_.compile.programs();
    train::Trainer trainer(options, lanes_);
    name_ignored(train::load_weights(weights_, trainer.store()));
    return trainer;
  }

  const EvalArguments& eval_;
  const train::SafetensorsFile& weights_;
  const train::ModelInfo& info_;
  engine::Lanes lanes_;
};
}  // namespace

int run_eval(const Arguments& arguments) {
  EvalArguments eval;
  App app("eval", "Accuracy of every exit and of the ensemble on the test half of a data set, or the logits of a batch.");
  eval.declare(*app);
  leave_network_to_weights(*app);
  app.parse(arguments);
  eval.check();

  const train::SafetensorsFile weights = train::read_safetensors(eval.weights);
  const train::ModelInfo info = info_of(weights, *app, eval.network, eval.recipe, eval.images);
  Evaluation evaluation(eval, weights, info);
  if (eval.batch_is_file()) evaluation.of_batch();
  else evaluation.of_data();
  return 0;
}
}  // namespace autodidact::cli
