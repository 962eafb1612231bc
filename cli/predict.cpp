// `autodidact predict`
#include <fmt/format.h>

#include <algorithm>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/trained_network.hpp"
#include "data/network_input.hpp"
#include "train/exit_policy_file.hpp"

namespace autodidact::cli {
namespace {
using Json = nlohmann::ordered_json;

struct PredictArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  CompileArguments compile;
  JsonOutput json;
  std::vector<std::string> files;
  std::string weights, policy;
  std::size_t top = 1, batch = 128;

  void declare(CLI::App& app) {
    app.add_option("images", files, "image files (PNG or JPEG)")->required();
    app.add_option("--weights", weights, "weights (safetensors)")->required();
    app.add_option("--policy", policy, "leave at the exits that this file keeps, as calibrate writes it; without, all exits decide together");
    app.add_option("--top", top, "the likeliest so many classes of each image")->check(CLI::Range(1, 1000000));
    app.add_option("--batch", batch, "images at a time; with --policy, by default what it was calibrated for")->check(CLI::Range(1, 1000000));
    network.declare(app);
    recipe.declare_name(app);
    images.declare(app);
    compile.declare(app);
    json.declare(app);
  }
};

// Every exit for every image, and all decide together; of a network without branches, its one exit.
train::ExitPolicy whole_network(const model::NetworkOptions& network) {
  train::ExitPolicy policy;
  if (!network.branches) return policy;
  for (int k = 1; k < model::kTeacher; ++k) policy.exits.push_back({k, std::numeric_limits<double>::max()});
  policy.otherwise = train::Otherwise::ensemble;
  return policy;
}

data::Normalisation normalisation_of(const PredictArguments& predict, const train::ModelInfo& info) {
  if (info.mean.empty())
    throw std::invalid_argument(fmt::format("{} does not say by what mean and deviation its images were normalised", predict.weights));
  return {info.mean, info.std};
}

class Prediction {
 public:
  Prediction(const PredictArguments& predict, const train::ExitPolicy& policy, const train::ModelInfo& info, train::Trainer& trainer)
      : predict_(predict),
        policy_(policy),
        info_(info),
        shape_{info.channels, info.side, info.side},
        normalise_({.kind = data::Augment::none}, shape_, normalisation_of(predict, info)),
        cascade_(trainer.programs(), trainer.executor(), trainer.store(),
                 {.exits = policy.early_exits(), .batch = static_cast<std::int64_t>(std::min(predict.batch, predict.files.size()))}) {}

  // One entry an image, in order.
  Json run() {
    Json all = Json::array();
    for (std::size_t begin = 0; begin < predict_.files.size(); begin += predict_.batch)
      add_batch(begin, std::min(begin + predict_.batch, predict_.files.size()), all);
    return all;
  }

 private:
  void add_batch(std::size_t begin, std::size_t end, Json& all) {
    std::vector<float> images((end - begin) * shape_.bytes());
    for (std::size_t i = begin; i < end; ++i) {
      const data::Image image = data::read_network_input(predict_.files[i], shape_, info_.resize);
      std::copy(image.pixels.begin(), image.pixels.end(), normalise_.input().begin());
      normalise_.apply(engine::Random(0, engine::Purpose::augmentation), std::span(images).subspan((i - begin) * shape_.bytes(), shape_.bytes()));
    }
    const train::CascadeResult& result = cascade_.run(images, [&](int exit, std::size_t, std::span<const float> logits) {
      return train::leaves(policy_, exit, logits);
    });
    for (std::size_t i = begin; i < end; ++i) all.push_back(entry(predict_.files[i], train::answer_of(policy_, result, i - begin)));
  }

  Json entry(const std::string& file, const train::Answer& answer) const {
    Json classes = Json::array();
    for (const auto& [index, probability] : train::ranked(answer.logits)) {
      if (classes.size() == predict_.top) break;
      const std::string name = index < info_.class_names.size() ? info_.class_names[index] : std::to_string(index);
      classes.push_back({{"class", name}, {"index", index}, {"probability", probability}});
    }
    return {{"file", file}, {"exit", answer.exit}, {"ensemble", answer.ensemble}, {"top", classes}};
  }

  const PredictArguments& predict_;
  const train::ExitPolicy& policy_;
  const train::ModelInfo& info_;
  data::ImageShape shape_;
  data::Augmentation normalise_;
  train::Cascade cascade_;
};

void print(const Json& predictions) {
  for (const Json& one : predictions) {
    std::string classes;
    for (const Json& entry : one["top"])
      classes += fmt::format("{}{} {:.2f} %", classes.empty() ? "" : ", ", entry["class"].get<std::string>(), 100 * entry["probability"].get<double>());
    fmt::print("{}: {} ({})\n", one["file"].get<std::string>(), classes,
               one["ensemble"].get<bool>() ? "all exits" : fmt::format("exit {}", one["exit"].get<int>()));
  }
}
}  // namespace

int run_predict(const Arguments& arguments) {
  PredictArguments predict;
  App app("predict", "The classes of image files, and the exit at which each was answered.");
  predict.declare(*app);
  leave_network_to_weights(app);
  app.dump_if_given({"--batch"});
  app.parse(arguments);

  TrainedNetwork trained(predict.weights, *app, predict.network, predict.recipe, predict.images);
  train::ExitPolicy policy;
  if (predict.policy.empty()) {
    policy = whole_network(train::network_of(trained.info()));
  } else {
    const train::PolicyFile file = train::read_policy(predict.policy);
    train::require_network(predict.policy, file, trained.info());
    policy = file.policy;
    if (app->count("--batch") == 0) predict.batch = static_cast<std::size_t>(file.batch);
  }
  engine::Lanes lanes(predict.compile.threads);
  train::Trainer& trainer = trained.open(lanes, predict.compile.programs(), static_cast<std::int64_t>(std::min(predict.batch, predict.files.size())));
  const Json predictions = Prediction(predict, policy, trained.info(), trainer).run();
  if (!predict.json.to_stdout()) print(predictions);
  predict.json.write(predictions);
  return 0;
}
}  // namespace autodidact::cli
