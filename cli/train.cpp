// `autodidact train`
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/augment_arguments.hpp"
#include "cli/command.hpp"
#include "train/progress.hpp"
#include "train/training_run.hpp"

namespace autodidact::cli {
namespace {

struct TrainArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  OptimizerArguments optimizer;
  CompileArguments compile;
  JsonOutput json;
  AugmentArguments augment;
  std::string data, out, init_from, schedule = "recipe";
  int epochs = 250, warmup = 0;
  std::size_t batch = 128;
  std::uint64_t seed = 0;
  std::int64_t max_steps = 0;
  bool no_validation = false, overwrite = false;

  void declare(CLI::App& app);
  train::RunOptions options(const data::Source& source, std::string config_text) const;
  std::vector<int> milestones(const model::Recipe& recipe) const;
};

void TrainArguments::declare(CLI::App& app) {
  app.add_option("--data", data,
                 "fashion-mnist[:DIR], cifar100:DIR, cifar10:DIR, idx:DIR, synthetic[:N]")->required();
  app.add_option("--out", out, "folder that the run writes")->required();
  network.declare(app);
  recipe.declare(app);
  optimizer.declare(app);
  app.add_option("--epochs", epochs, "epochs")->check(CLI::Range(1, 1000000));
  app.add_option("--batch", batch, "images a step")->check(CLI::Range(2, 1000000));
  app.add_option("--seed", seed, "of everything random");
  app.add_option("--schedule", schedule, "learning rate: recipe (milestones), cosine, constant")
      ->check(CLI::IsMember({"recipe", "cosine", "constant"}));
  app.add_option("--warmup", warmup, "epochs over which the learning rate rises from 0");
  augment.declare(app);
  app.add_option("--max-steps", max_steps, "stop after so many steps; 0 = no limit")->check(CLI::NonNegativeNumber);
  app.add_option("--init-from", init_from, "weights to start from (safetensors), by name");
  app.add_flag("--no-validation", no_validation, "train on the validation part too; best is then picked by training accuracy");
  app.add_flag("--overwrite", overwrite, "replace the run that --out holds");
  compile.declare(app);
  json.declare(app);
}

std::vector<int> TrainArguments::milestones(const model::Recipe& recipe_) const {
  if (network.seed_compat()) return optim::thirds_milestones_compat(epochs);
  return recipe_.milestones == model::MilestoneRule::thirds ? optim::thirds_milestones(epochs)
                                                            : optim::scaled_milestones(epochs);
}

train::RunOptions TrainArguments::options(const data::Source& source, std::string config_text) const {
  const model::Recipe loss = recipe.value();
  train::RunOptions run;
  const std::int64_t classes = network.seed_compat() ? 100 : static_cast<std::int64_t>(source.class_names.size());
  run.trainer.network = network.options(loss, classes, source.channels, source.side);
  run.trainer.recipe = loss;
  run.trainer.initialise.zero_init_residual = network.zero_init_residual;
  run.trainer.sgd = optimizer.options();
  run.trainer.choose = compile.choice();
  run.trainer.seed = seed;
  if (network.seed_compat()) run.trainer.ensemble = train::Ensemble::deepest_three;
  run.info = describe(run.trainer.network, loss.name);
  run.info.class_names = source.class_names;
  run.info.mean = source.normalisation->mean;
  run.info.std = source.normalisation->std;
  run.schedule = {.kind = optim::schedule_by_name(schedule), .learning_rate = optimizer.lr, .epochs = epochs,
                  .warmup_epochs = warmup, .milestones = milestones(loss)};
  run.epochs = epochs;
  run.batch = batch;
  run.max_steps = max_steps;
  augment.set(run, source, network.seed_compat());
  run.best_on_test = network.seed_compat();
  run.validation = no_validation || network.seed_compat() ? data::Validation::none : data::Validation::held_out;
  run.init_from = init_from;
  run.directory = out;
  run.existing = overwrite ? train::ExistingRun::overwrite : train::ExistingRun::refuse;
  run.config_text = std::move(config_text);
  if (json.to_stdout()) run.tables = stderr;
  return run;
}

nlohmann::ordered_json to_json(const train::ExitAccuracies& accuracies) {
  nlohmann::ordered_json json;
  const auto number = [](double value) { return std::isfinite(value) ? nlohmann::ordered_json(value) : nullptr; };
  for (const double accuracy : accuracies.exits) json["exits"].push_back(number(accuracy));
  json["ensemble"] = number(accuracies.ensemble);
  return json;
}

void announce(const train::RunOptions& run, const data::Source& source, const engine::Lanes& lanes) {
  std::string falls;
  if (run.schedule.kind == optim::ScheduleKind::recipe)
    for (const int epoch : run.schedule.milestones) falls += fmt::format("{}{}", falls.empty() ? "" : ", ", epoch);
  fmt::print(stderr, "{} width {}, {} classes, {} px, recipe {}, {} of {} training images, batch {}, {} threads{}\n",
             run.info.model, run.info.width, run.info.classes, run.info.side, run.trainer.recipe.name,
             run.validation == data::Validation::none
                 ? source.train->size()
                 : source.train->size() - data::validation_size(source.train->size()),
             source.train->size(), run.batch, lanes.layout().wide,
             falls.empty() ? "" : ", learning rate / 10 at epochs " + falls);
  if (run.best_on_test) fmt::print(stderr, "the best epoch is picked on the test set, as the published program does\n");
}
}  // namespace

int run_train(const Arguments& arguments) {
  TrainArguments train_arguments;
  App app("train", "Trains a multi-exit network; writes metrics.jsonl, config.toml, last.safetensors, best.safetensors and "
                   "exits.svg into --out.");
  train_arguments.declare(*app);
  app.parse(arguments);
  (void)train_arguments.recipe.value();  // the cheap mistakes before the data is read
  train_arguments.augment.check();
  const data::Source source = data::open_source(train_arguments.data);
  const train::RunOptions run = train_arguments.options(source, app.config_text());
  engine::Lanes lanes(train_arguments.compile.threads);
  announce(run, source, lanes);
  const train::RunResult result = train::run_training(run, source, lanes);

  const train::ExitTableRow row{"test", result.test};
  if (!train_arguments.json.to_stdout())
    fmt::print("{}", train::exit_table(fmt::format("after {} steps, accuracy in %", result.steps), {&row, 1}));
  nlohmann::ordered_json json{{"steps", result.steps}, {"best_epoch", result.best_epoch}};
  json["test"] = to_json(result.test);
  json["best"] = to_json(result.best);
  train_arguments.json.write(json);
  return 0;
}
}  // namespace autodidact::cli
