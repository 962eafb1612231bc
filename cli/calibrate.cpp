// `autodidact calibrate`
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/source_arguments.hpp"
#include "cli/trained_network.hpp"
#include "data/split.hpp"
#include "train/atomic_file.hpp"
#include "train/calibration.hpp"
#include "train/resume.hpp"

namespace autodidact::cli {
namespace {

struct CalibrateArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  SourceArguments source;
  CompileArguments compile;
  JsonOutput json;
  std::string weights, out, measure = "any";
  std::size_t batch = 128;
  double accuracy_drop = 0.5;
  std::optional<double> budget_ms;
  std::optional<std::uint64_t> seed;

  void declare(CLI::App& app) {
    app.add_option("--weights", weights, "weights (safetensors) of a network with exits")->required();
    source.declare(app)->required();  // what they were trained on; its validation part is used
    app.add_option("--out", out, "policy (JSON) to write")->required();
    CLI::Option* drop = app.add_option("--accuracy-drop", accuracy_drop,
                                       "the fastest policy that loses at most so many percentage points against exit 4 alone");
    app.add_option("--budget-ms", budget_ms, "in its place: the most accurate policy that takes at most so many milliseconds an image")
        ->excludes(drop);
    app.add_option("--measure", measure, "by what an exit is sure: max_softmax, entropy, margin; any: whichever is best")
        ->check(CLI::IsMember({"any", "max_softmax", "entropy", "margin"}));
    app.add_option("--batch", batch, "images at a time that the policy is for")->check(CLI::Range(1, 1000000));
    app.add_option("--seed", seed, "seed of the split that training held out; by default what the weights say");
    network.declare(app);
    recipe.declare_name(app);
    images.declare(app);
    compile.declare(app);
    json.declare(app);
  }

  train::CalibrationGoal goal() const {
    train::CalibrationGoal goal{.accuracy_drop = accuracy_drop, .budget_ms = budget_ms};
    if (measure != "any") goal.measures = {train::measure_by_name(measure)};
    return goal;
  }
};

void require_exits(const std::string& weights, const train::ModelInfo& info) {
  if (!model::recipe_by_name(info.recipe).branches)
    throw std::invalid_argument(
        fmt::format("{} holds a network without branches (recipe {}): it has one exit, and nowhere to leave early", weights, info.recipe));
}

// Of the training images, those that the weights have not been trained on.
data::DatasetPointer validation_part(const CalibrateArguments& arguments, const train::ModelInfo& info, const data::Source& source,
                                     std::uint64_t& seed) {
  if (!arguments.seed && !info.validation_seed)
    throw std::invalid_argument(fmt::format(
        "{} does not say which images were held out from its training; pass --seed with the seed of that training", arguments.weights));
  seed = arguments.seed.value_or(info.validation_seed.value_or(0));
  const data::Split split = data::split_validation(source.train->size(), data::Validation::held_out, seed);
  return std::make_shared<data::SubsetDataset>(source.train, split.validation);
}

train::ExitCosts measure(train::Trainer& trainer, data::Loader& loader, std::int64_t batch) {
  loader.start(0);
  const data::Batch* first = loader.next();
  const std::vector<float> images(first->images.begin(), first->images.end());
  return train::measure_costs(trainer.programs(), trainer.executor(), trainer.store(), images, batch);
}

std::string exits_text(const train::ExitPolicy& policy) {
  std::string text;
  for (const auto& [exit, threshold] : policy.exits)
    text += fmt::format("{}exit {} at {} {} {:.6g}", text.empty() ? "" : ", ", exit, train::name_of(policy.measure),
                        policy.measure == train::Measure::entropy ? "≤" : "≥", threshold);
  if (text.empty()) return "no early exit pays: trunk and fc4 alone";
  return text + fmt::format(", otherwise {}", policy.otherwise == train::Otherwise::exit4 ? "exit 4" : "the mean of these exits and exit 4");
}

void print(std::FILE* file, const train::ExitCosts& costs, const train::Calibration& result) {
  fmt::print(file, "milliseconds a batch\n{:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "images", "trunk", "stage 1", "stage 2",
             "stage 3", "stage 4", "exit 1", "exit 2", "exit 3", "exit 4");
  for (const train::RungCosts& rung : costs.rungs())
    fmt::print(file, "{:>7} {:>9.3f} {:>9.3f} {:>9.3f}\n", rung.images, rung.trunk, fmt::join(rung.stage, " "), fmt::join(rung.head, " "));
  const train::PolicyValidation& v = result.validation;
  fmt::print(file, "on {} validation images: exits {:.2f} %, ensemble {:.2f} %\n", v.images, fmt::join(v.full.exits, " %, "), v.full.ensemble);
  fmt::print(file, "policy: {}\n", exits_text(result.chosen.policy));
  fmt::print(file, "accuracy {:.2f} %, {:.4f} ms an image against {:.4f} of trunk and fc4 alone: {:.2f} times as fast; leave at exits 1 to 4: {:.3f}\n",
             v.accuracy, v.ms_per_image, v.trunk_ms_per_image, v.trunk_ms_per_image / v.ms_per_image, fmt::join(v.share_per_exit, ", "));
}
}  // namespace

int run_calibrate(const Arguments& arguments) {
  CalibrateArguments calibrate;
  App app("calibrate", "Measures every stage and exit of a network on this machine, and chooses on validation images which exits to keep "
                       "and when an image may leave.");
  calibrate.declare(*app);
  leave_network_to_weights(app);
  app.dump_if_given({"--accuracy-drop"});
  app.parse(arguments);
  train::check(calibrate.goal());
  train::require_replaceable(calibrate.out);

  TrainedNetwork trained(calibrate.weights, *app, calibrate.network, calibrate.recipe, calibrate.images);
  require_exits(calibrate.weights, trained.info());
  const data::Source source = calibrate.source.open(data::Parts::train_only, trained.info());
  trained.take(source);
  std::uint64_t seed = 0;
  const data::DatasetPointer validation = validation_part(calibrate, trained.info(), source, seed);
  calibrate.batch = std::min(calibrate.batch, validation->size());
  const auto batch = static_cast<std::int64_t>(calibrate.batch);

  engine::Lanes lanes(calibrate.compile.threads);
  train::Trainer& trainer = trained.open(lanes, calibrate.compile.programs(), batch);
  data::Loader loader = trained.loader(source, validation, calibrate.batch, calibrate.source.workers);
  const train::Observations observations = train::observe(trainer, loader);
  const train::ExitCosts costs = measure(trainer, loader, batch);
  train::Calibration result = train::calibrate(observations, costs, batch, calibrate.goal());
  result.validation.seed = seed;

  const train::PolicyFile file{.policy = result.chosen.policy, .batch = batch, .network = train::policy_network(trained.info()),
                               .weights = train::weights_hash(trainer.store()), .machine = train::machine_and_threads(lanes),
                               .times = costs, .validation = result.validation, .frontier = result.frontier};
  train::write_policy(calibrate.out, file);
  print(calibrate.json.to_stdout() ? stderr : stdout, costs, result);
  calibrate.json.write(nlohmann::ordered_json::parse(train::policy_text(file)));
  return 0;
}
}  // namespace autodidact::cli
