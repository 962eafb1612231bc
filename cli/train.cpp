// `autodidact train`
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>

#include "cli/arguments.hpp"
#include "cli/augment_arguments.hpp"
#include "cli/command.hpp"
#include "cli/comparison_arguments.hpp"
#include "cli/optimizer_arguments.hpp"
#include "cli/source_arguments.hpp"
#include "cli/step_arguments.hpp"
#include "train/comparison_run.hpp"
#include "train/interruption.hpp"
#include "train/progress.hpp"
#include "train/run_record.hpp"
#include "train/training_run.hpp"

namespace autodidact::cli {
namespace {

constexpr std::int64_t kSeedClasses = 100;  // of the published program, whatever the data

struct TrainArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  OptimizerArguments optimizer;
  StepArguments step;
  CompileArguments compile;
  JsonOutput json;
  AugmentArguments augment;
  SourceArguments input;
  std::string out = "runs/train", init_from, schedule = "recipe";
  int epochs = 250, warmup = 0;
  std::size_t batch = 128;
  std::uint64_t seed = 0;
  std::int64_t max_steps = 0;
  std::optional<bool> validation;
  bool best_on_test = false, overwrite = false;
  std::string save_every, resume;
  int keep = 2;
  ComparisonArguments comparison;

  void declare(App& arguments);
  void parsed(const CLI::App& app);  // what depends on another option
  void check() const;                // the mistakes that are seen without the data
  train::RunOptions options(const data::Source& source, std::string config_text, std::string default_config_text) const;

 private:
  std::int64_t classes(const data::Source& source) const;
  std::vector<int> milestones() const;
  optim::ScheduleOptions schedule_options() const;
};

void TrainArguments::declare(App& arguments) {
  CLI::App& app = *arguments;
  input.declare(app)->required();
  app.add_option("--out", out, "folder that the run writes; without it, --compare's is runs/compare");
  network.declare(app);
  network.declare_initialisation(app);
  recipe.declare(app);
  optimizer.declare(arguments);
  step.declare(app);
  app.add_option("--epochs", epochs, "epochs")->check(CLI::Range(1, 1000000));
  app.add_option("--batch", batch, "images a step")->check(CLI::Range(2, 1000000));
  app.add_option("--seed", seed, "of everything random");
  app.add_option("--schedule", schedule, "learning rate: recipe (milestones), cosine, constant")
      ->check(CLI::IsMember({"recipe", "cosine", "constant"}));
  app.add_option("--warmup", warmup, "epochs over which the learning rate rises from 0");
  augment.declare(app);
  app.add_option("--max-steps", max_steps, "stop after so many steps; 0 = no limit")->check(not_negative);
  app.add_option("--init-from", init_from, "weights to start from (safetensors), by name");
  declare_switch(app, "validation", validation,
                 "hold out a validation part (the default) and pick the best epoch on it; without, on the training accuracy");
  app.add_flag("--best-on-test", best_on_test, "pick the best epoch on the test half, and hold out nothing");
  app.add_flag("--overwrite", overwrite, "replace the run that --out holds");
  app.add_option("--resume", resume, "go on from a checkpoint; auto: the newest in --out, or a fresh start if there is none");
  app.add_option("--save-every", save_every, "steps (500) or minutes (30m) between checkpoints; default: once an epoch");
  app.add_option("--keep", keep, "newest checkpoints that stay, beside the best")->check(CLI::Range(1, 1000000));
  comparison.declare(app);
  compile.declare(app);
  json.declare(app);
}

void TrainArguments::parsed(const CLI::App& app) {
  if (comparison.wanted() && app.count("--out") == 0) out = "runs/compare";
}

// The recipe's rule; compat changes only that of the published program.
std::vector<int> TrainArguments::milestones() const {
  if (recipe.value().milestones == model::MilestoneRule::scaled) return optim::scaled_milestones(epochs);
  return network.seed_compat() ? optim::thirds_milestones_compat(epochs) : optim::thirds_milestones(epochs);
}

optim::ScheduleOptions TrainArguments::schedule_options() const {
  return {.kind = optim::schedule_by_name(schedule), .learning_rate = optimizer.lr, .epochs = epochs,
          .warmup_epochs = warmup, .milestones = milestones()};
}

void TrainArguments::check() const {
  if (out.empty()) throw std::invalid_argument("the output directory has an empty name");
  (void)optim::Schedule(schedule_options());
  optim::check(optimizer.options());
  step.check(static_cast<std::int64_t>(batch));
  augment.check();
  (void)train::parse_save_every(save_every);
  (void)compile.programs();
  constexpr std::int64_t kAnyClasses = 2, kAnyChannels = 3, kAnySide = 32;
  model::check(network.options(recipe, kAnyClasses, kAnyChannels, kAnySide));
}

std::int64_t TrainArguments::classes(const data::Source& source) const {
  const auto known = static_cast<std::int64_t>(source.class_names.size());
  if (!network.seed_compat()) return known;
  if (known > kSeedClasses)
    throw std::invalid_argument(fmt::format("--compat seed trains {} classes, the data has {}", kSeedClasses, known));
  return kSeedClasses;
}

train::RunOptions TrainArguments::options(const data::Source& source, std::string config_text, std::string default_config_text) const {
  const bool compat = network.seed_compat();
  train::RunOptions run;
  run.trainer.recipe = recipe.value();
  run.trainer.network = network.options(recipe, classes(source), source.channels, source.side);
  run.trainer.initialise.zero_init_residual = network.zero_init_residual;
  run.trainer.optimizer = optimizer.options();
  run.trainer.programs = compile.programs();
  step.set(run.trainer);
  run.trainer.seed = seed;
  if (compat) run.trainer.ensemble = train::Ensemble::deepest_three;
  run.info = train::describe(run.trainer.network, run.trainer.recipe.name);
  run.info.class_names = source.class_names;
  run.info.mean = source.normalisation->mean;
  run.info.std = source.normalisation->std;
  run.info.resize = source.resize;
  run.schedule = schedule_options();
  run.epochs = epochs;
  run.batch = batch;
  run.workers = input.workers;
  run.max_steps = max_steps;
  augment.set(run, source, compat);
  run.best_on_test = best_on_test || (compat && !validation.value_or(false));
  run.validation = validation.value_or(!run.best_on_test) ? data::Validation::held_out : data::Validation::none;
  if (run.validation == data::Validation::held_out) run.info.validation_seed = seed;
  run.init_from = init_from;
  run.directory = out;
  run.existing = overwrite ? train::ExistingRun::overwrite : train::ExistingRun::refuse;
  run.resume = resume;
  run.save_every = train::parse_save_every(save_every);
  run.keep = keep;
  run.data = input.data;
  run.config_text = std::move(config_text);
  run.default_config_text = std::move(default_config_text);
  if (json.to_stdout()) run.tables = stderr;
  return run;
}

std::string schedule_text(const optim::ScheduleOptions& schedule) {
  std::string text = fmt::format("learning rate {}, {}", schedule.learning_rate, optim::name_of(schedule.kind));
  if (schedule.kind == optim::ScheduleKind::recipe)
    text = fmt::format("learning rate {}, {}", schedule.learning_rate,
                       schedule.milestones.empty() ? "which never falls"
                                                   : fmt::format("divided by 10 at epochs {}", fmt::join(schedule.milestones, ", ")));
  if (schedule.warmup_epochs) text += fmt::format(", warmup over {} epochs", schedule.warmup_epochs);
  return text;
}

void announce(const train::RunOptions& run, const data::Source& source, const engine::Lanes& lanes) {
  const std::size_t all = source.train->size();
  const std::size_t held_out = run.validation == data::Validation::none ? 0 : data::validation_size(all);
  train::say(fmt::format("{} width {}, {} classes, {} px, recipe {}; {} of {} training images, augmentation {}, batch {}; {} threads\n",
                         run.info.model, run.info.width, run.info.classes, run.info.side, run.trainer.recipe.name,
                         all - held_out, all, data::augment_name(run.augment), run.batch, lanes.layout().wide));
  train::say(schedule_text(run.schedule) + "\n");
  if (run.best_on_test) train::say("the best epoch is picked on the test set, as the published program does\n");
}

void report(const train::RunOptions& run, const train::RunResult& result, const JsonOutput& output) {
  const train::ExitTableRow row{"test", result.test};
  if (!output.to_stdout())
    fmt::print("{}", train::exit_table(fmt::format("after {} steps, accuracy in %; best.safetensors is of epoch {}, picked on {}",
                                                   result.steps, result.best_epoch, train::judged_on(run)), {&row, 1}));
  output.write(train::to_json(result));
}

int end_by_signal(const train::RunOptions& run, const train::RunResult& result) {
  train::say(fmt::format("autodidact: saved after a signal at step {}; --resume auto goes on from {}\n", result.steps,
                         (run.directory / "checkpoints").string()));
  return kSavedAfterSignal;
}

std::vector<train::PlannedRun> plan_of(const TrainArguments& arguments, const data::Source& source, const std::string& config_text,
                                       const std::string& default_config_text) {
  std::vector<train::PlannedRun> plan;
  for (int i = 0; i < arguments.comparison.seeds.value_or(1); ++i)
    for (const std::string& recipe : arguments.comparison.recipes()) {
      TrainArguments one = arguments;
      one.recipe.recipe = recipe;
      one.seed = arguments.seed + static_cast<std::uint64_t>(i);
      one.out = fmt::format("{}/{}-seed{}", arguments.out, recipe, one.seed);
      train::RunOptions options = one.options(source, config_of_run(config_text, recipe, one.seed, one.out), default_config_text);
      options.tables = stderr;  // what goes to stdout is the comparison
      plan.push_back({recipe, one.seed, std::move(options)});
    }
  return plan;
}

int run_compare(const TrainArguments& arguments, const data::Source& source, const App& app) {
  if (!source.test) throw std::invalid_argument("--compare judges on a test half, which this data has not");
  engine::Lanes lanes(arguments.compile.threads);
  const std::vector<train::PlannedRun> plan =
      plan_of(arguments, source, train::describe_machine(lanes.layout().wide) + app.config_text(), app.default_config_text());
  const train::ComparisonResult result =
      train::run_comparison(plan, source, lanes, [&](const train::PlannedRun& run) { announce(run.options, source, lanes); });
  if (result.signal == 0) finish_comparison(arguments.out, arguments.comparison.seeds.value_or(1), result.runs, arguments.json);
  else train::say(fmt::format("autodidact: saved after a signal with {} of {} runs done; --resume auto goes on with {}\n", result.runs.size(),
                              plan.size(), arguments.out));
  return result.signal == 0 ? 0 : kSavedAfterSignal;
}
}  // namespace

int run_train(const Arguments& arguments) {
  const train::Interruption interruption;  // also while the options and the data are being read
  TrainArguments train_arguments;
  App app("train", "Trains a multi-exit network; writes metrics.jsonl, metrics.csv, events for TensorBoard, config.toml, last.safetensors, "
                   "best.safetensors, exits.svg, confusion.json, result.json and checkpoints into --out.");
  train_arguments.declare(app);
  app.parse(arguments);
  train_arguments.parsed(*app);
  train_arguments.comparison.check(*app, train_arguments.resume);
  train_arguments.check();
  std::signal(SIGPIPE, SIG_IGN);  // a reader of the progress that goes away must not end the training
  const data::Source source = train_arguments.input.open();
  if (train_arguments.comparison.wanted()) return run_compare(train_arguments, source, app);
  train::RunOptions run = train_arguments.options(source, app.config_text(), app.default_config_text());
  engine::Lanes lanes(train_arguments.compile.threads);
  run.config_text.insert(0, train::describe_machine(lanes.layout().wide));
  announce(run, source, lanes);
  const train::RunResult result = train::run_training(run, source, lanes);
  if (result.signal != 0) return end_by_signal(run, result);
  report(run, result, train_arguments.json);
  return 0;
}
}  // namespace autodidact::cli
