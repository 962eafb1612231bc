// `autodidact eval`
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/source_arguments.hpp"
#include "cli/trained_network.hpp"
#include "data/error.hpp"
#include "data/source.hpp"
#include "train/atomic_file.hpp"
#include "train/image_batch.hpp"
#include "train/policy_evaluation.hpp"
#include "train/progress.hpp"
#include "train/resume.hpp"
#include "train/run_result.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {
namespace {
using Json = nlohmann::ordered_json;

struct EvalArguments {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  SourceArguments source;
  CompileArguments compile;
  JsonOutput json;
  std::string weights, policy, logits, confusion, batch = "128";
  bool no_compact = false;
  int pairs = 5;
  std::int64_t timed_images = 2560;

  void declare(CLI::App& app) {
    app.add_option("--weights", weights, "weights (safetensors)")->required();
    source.declare(app);  // as for train; its test half is used
    app.add_option("--batch", batch, "images at a time, with --policy by default what it was calibrated for; or, in place of --data, a file "
                                     "of normalised images (safetensors)");
    app.add_option("--logits", logits, "with a file of images: file to write the logits of every exit into (safetensors)");
    app.add_option("--confusion", confusion, "with --data: also write which class was taken for which, as JSON");
    app.add_option("--policy", policy, "let images leave at the exits that this file keeps, as calibrate writes it, and time what that saves");
    app.add_flag("--no-compact", no_compact, "with --policy: keep every batch whole and only mark who has left");
    app.add_option("--pairs", pairs, "with --policy: timings of the trunk alone and of the policy, in turn; 0: none")->check(CLI::Range(0, 1000));
    app.add_option("--timed-images", timed_images, "with --policy: about so many images are timed, spread over the data; 0: all")
        ->check(CLI::Range(0, 1000000000));
    network.declare(app);
    recipe.declare_name(app);
    images.declare(app);
    compile.declare_inference(app);
    json.declare(app);
  }

  // And the batch size, where the command line leaves it to the policy.
  std::optional<train::PolicyFile> read_policy(const CLI::App& app) {
    if (policy.empty()) {
      for (const char* option : {"--no-compact", "--pairs", "--timed-images"})
        if (app.count(option) > 0) throw std::invalid_argument(fmt::format("{} says how a policy is run: it needs --policy", option));
      return {};
    }
    train::PolicyFile file = train::read_policy(policy);
    if (app.count("--batch") == 0) batch = std::to_string(file.batch);
    return file;
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
  if (batch_is_file() && !source.data.empty())
    throw std::invalid_argument(fmt::format("images come from --data or from --batch {}, not from both", batch));
  if (!batch_is_file() && source.data.empty()) throw std::invalid_argument("--data is required, or --batch with a file of images");
  if (!batch_is_file() && !logits.empty()) throw std::invalid_argument("--logits needs --batch with a file of images");
  if (batch_is_file() && !policy.empty()) throw std::invalid_argument("--policy needs --data: a file of images has no labels to rely on");
  if (batch_is_file() && !confusion.empty()) throw std::invalid_argument("--confusion needs --data, whose classes have names");
  if (!logits.empty()) train::require_replaceable(logits);
  if (!confusion.empty()) train::require_replaceable(confusion);
}

Json to_json(const train::PolicyOutcome& outcome) {
  Json json{{"accuracy", outcome.accuracy}, {"share_per_exit", outcome.share_per_exit}, {"ensemble_share", outcome.ensemble_share}};
  const auto optional = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  json["speedup_measured"] = optional(outcome.speedup_measured);
  json["speedup_predicted"] = optional(outcome.speedup_predicted);
  json["speedup_pairs"] = outcome.speedups;
  json["timed_images"] = outcome.timed_images;
  json["ms_per_image"] = outcome.ms_per_image;
  json["trunk_ms_per_image"] = outcome.trunk_ms_per_image;
  return json;
}

std::string to_text(const train::PolicyOutcome& outcome) {
  std::string text = fmt::format("policy: accuracy {:.2f} %; leave at exit 1 {:.1f} %, 2 {:.1f} %, 3 {:.1f} %, 4 {:.1f} %; decided by all {:.1f} %\n",
                                 outcome.accuracy, 100 * outcome.share_per_exit[0], 100 * outcome.share_per_exit[1],
                                 100 * outcome.share_per_exit[2], 100 * outcome.share_per_exit[3], 100 * outcome.ensemble_share);
  if (outcome.speedup_measured)
    text += fmt::format("speed-up over trunk and fc4 alone: measured {:.3f} (median of {:.3f}), predicted {}; {:.4f} against {:.4f} ms an "
                        "image, on {} images\n",
                        *outcome.speedup_measured, fmt::join(outcome.speedups, ", "),
                        outcome.speedup_predicted ? fmt::format("{:.3f}", *outcome.speedup_predicted) : "–", outcome.ms_per_image,
                        outcome.trunk_ms_per_image, outcome.timed_images);
  return text;
}

// What the policy knows of where it was made that is not so here.
void say_differences(const train::PolicyFile& policy, const train::Trainer& trainer, const engine::Lanes& lanes) {
  if (!policy.weights.empty() && policy.weights != train::weights_hash(trainer.store()))
    fmt::print(stderr, "the policy was calibrated with other weights: its thresholds may not suit these\n");
  const std::string here = train::machine_and_threads(lanes);
  if (!policy.machine.empty() && policy.machine != here)
    fmt::print(stderr, "the policy's times were measured on {}, this is {}\n", policy.machine, here);
}

Json to_json(const train::ExitAccuracies& accuracies, std::int64_t images) {
  Json json = train::to_json(accuracies);
  json["images"] = images;
  return json;
}

// Without --json the figures are the program's result, for scripts, and the table is for the eye.
std::FILE* print(const JsonOutput& output, const train::ExitAccuracies& accuracies, std::int64_t images) {
  const train::ExitTableRow row{"test", accuracies};
  std::FILE* eye = output.wanted() && !output.to_stdout() ? stdout : stderr;
  fmt::print(eye, "{}", train::exit_table(fmt::format("{} images, accuracy in %", images), {&row, 1}));
  return eye;
}

void write(const JsonOutput& output, const Json& json) {
  if (output.wanted()) output.write(json);
  else fmt::print("{}\n", json.dump());
}

void evaluate_data(const EvalArguments& eval, const std::optional<train::PolicyFile>& policy, TrainedNetwork& trained) {
  data::Source source = eval.source.open(data::Parts::test_only, trained.info());
  if (trained.info().mean.empty() && !source.normalisation)  // that of the training half, as in training
    source.normalisation = eval.source.open(data::Parts::train_only, trained.info()).normalisation;
  trained.take(source);
  if (policy) train::require_network(eval.policy, *policy, trained.info());
  engine::Lanes lanes(eval.compile.threads);
  const auto images = static_cast<std::int64_t>(source.test->size());
  train::Trainer& trainer = trained.open(lanes, eval.compile.programs(), std::min(eval.images_at_a_time(), images));
  data::Loader loader = trained.loader(source, source.test, static_cast<std::size_t>(eval.images_at_a_time()), eval.source.workers);
  train::Confusion confusion{.class_names = source.class_names, .weights = std::filesystem::path(eval.weights).filename(), .data = eval.source.data};
  const train::ExitAccuracies accuracies = trainer.evaluate(loader, eval.confusion.empty() ? nullptr : &confusion);
  if (!eval.confusion.empty()) train::write_confusion(eval.confusion, confusion);
  Json json = to_json(accuracies, images);
  std::FILE* eye = print(eval.json, accuracies, images);
  if (policy) {
    say_differences(*policy, trainer, lanes);
    loader.start(0);
    const train::PolicyOutcome outcome = train::evaluate_policy(
        trainer, loader, *policy,
        {.batch = eval.images_at_a_time(), .compact = !eval.no_compact, .pairs = eval.pairs, .timed_images = eval.timed_images});
    fmt::print(eye, "{}", to_text(outcome));
    json.update(to_json(outcome));
  }
  write(eval.json, json);
}

void evaluate_batch(const EvalArguments& eval, TrainedNetwork& trained) {
  const train::ImageBatch batch = train::read_image_batch(eval.batch, trained.info().classes);
  if (batch.shape[1] != trained.info().channels)
    throw data::DataError(fmt::format("{}: images must have the {} channels that the network takes, got {}", eval.batch,
                                      trained.info().channels, batch.shape.text()));
  trained.take(batch.shape[2], batch.shape[3]);
  engine::Lanes lanes(eval.compile.threads);
  train::Trainer& trainer = trained.open(lanes, eval.compile.programs(), std::min(kAtATime, batch.shape[0]));
  const train::BatchLogits logits = train::logits_of(trainer, batch, kAtATime);
  if (!eval.logits.empty()) train::write_logits(eval.logits, train::to_metadata(trained.info()), logits, batch.shape[0]);
  print(eval.json, logits.accuracies, batch.shape[0]);
  write(eval.json, to_json(logits.accuracies, batch.shape[0]));
}
}  // namespace

int run_eval(const Arguments& arguments) {
  EvalArguments eval;
  App app("eval", "Accuracy of every exit and of the ensemble on the test half of a data set, with --policy of leaving early; or the logits of a batch.");
  eval.declare(*app);
  leave_network_to_weights(app);
  app.dump_if_given({"--batch", "--no-compact", "--pairs", "--timed-images"});
  app.parse(arguments);
  const std::optional<train::PolicyFile> policy = eval.read_policy(*app);
  eval.check();

  TrainedNetwork trained(eval.weights, *app, eval.network, eval.recipe, eval.images);
  if (eval.batch_is_file()) evaluate_batch(eval, trained);
  else evaluate_data(eval, policy, trained);
  return 0;
}
}  // namespace autodidact::cli
