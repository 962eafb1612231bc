#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "train/plan_cache.hpp"

namespace autodidact::cli {
namespace {

// "1,3" with numbers in low … high; "none" and "" are no number.
std::vector<int> parse_numbers(const std::string& option, const std::string& text, int low, int high) {
  std::vector<int> numbers;
  if (text == "none") return numbers;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const bool digit = part.size() == 1 && part[0] >= '0' + low && part[0] <= '0' + high;
    if (!digit)
      throw std::invalid_argument(fmt::format("{} takes numbers {} to {} joined by commas, or none; got {}", option, low, high, text));
    numbers.push_back(part[0] - '0');
  }
  return numbers;
}

model::Stem parse_stem(const std::string& name) {
  if (name == "cifar") return model::Stem::cifar;
  if (name == "imagenet") return model::Stem::imagenet;
  throw std::invalid_argument(fmt::format("--stem takes cifar or imagenet, got {}", name));
}

}  // namespace

void declare_switch(CLI::App& app, const std::string& name, std::optional<bool>& value, const std::string& description) {
  app.add_flag_function(
      fmt::format("--{0},!--no-{0}", name),
      [&value, name](std::int64_t sum) {
        if (sum == 0) throw std::invalid_argument(fmt::format("--{0} and --no-{0} exclude each other", name));
        value = sum > 0;
      },
      description);
}

std::string not_negative(const std::string& text) {
  return text.starts_with("-") ? fmt::format("must be 0 or more, got {}", text) : "";
}

void CompileArguments::declare_inference(CLI::App& app) {
  app.add_option("--threads", threads, "computing threads; 0 = every core that this process may use")
      ->check(CLI::Range(0, 4096));
  app.add_option("--precision", precision,
                 "f32; bf16: planes and their gradients in bf16, weights and sums in f32; auto: the faster of the two here, by trial")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}));
  app.add_option("--choose", choose,
                 "how algorithms are chosen: measure (time them), fixed (the same everywhere), direct (full f32 accuracy)")
      ->check(CLI::IsMember({"measure", "fixed", "direct"}));
  app.add_option("--lanes", lanes,
                 "on: the branches side by side, each on a part of the threads; off: one after the other on all; auto: whichever takes less time by what was measured")
      ->check(CLI::IsMember({"on", "off", "auto"}));
  app.add_option("--plan-cache", plan_cache,
                 "file that keeps what was measured for the next start; auto: in the user's cache folder; off: none");
}

void CompileArguments::declare(CLI::App& app) {
  declare_inference(app);
  app.add_option("--recompute", recompute,
                 "what backward makes again instead of keeping it: auto (what one sweep over memory makes), none, stage (all "
                 "between the outputs of the stages: least memory, slowest)")
      ->check(CLI::IsMember({"auto", "none", "stage"}));
}

train::ProgramOptions CompileArguments::programs() const {
  train::ProgramOptions options;
  options.choose = choice();
  if (precision == "bf16") {
    engine::require_bf16();
    options.precision = engine::Precision::bf16;
  }
  options.find_precision = precision == "auto";
  if (lanes != "auto") options.branches = lanes == "on" ? engine::Branches::side_by_side : engine::Branches::in_turn;
  if (recompute == "none") options.recompute = engine::Recompute::none;
  if (recompute == "stage") options.recompute = engine::Recompute::stage;
  if (plan_cache == "auto") options.plan_cache = train::default_plan_cache();
  else if (plan_cache != "off") options.plan_cache = plan_cache;
  return options;
}

engine::Choose CompileArguments::choice() const {
  if (choose == "fixed") return engine::Choose::fixed;
  return choose == "direct" ? engine::Choose::direct : engine::Choose::measure;
}

void NetworkArguments::declare(CLI::App& app) {
  app.add_option("--model", model, "network: resnet18, resnet34, resnet50, resnet101, resnet152, wide_resnet50_2, "
                                   "wide_resnet101_2, resnext50_32x4d, resnext101_32x8d");
  app.add_option("--width", width, "planes of the first stage; 64 is the published network")->check(CLI::Range(1, 4096));
  app.add_option("--stem", stem, "cifar: 3x3 stride 1; imagenet: 7x7 stride 2 and max pooling");
  app.add_option("--groups", groups, "groups of the 3x3 convolutions; 0 = the model's")->check(CLI::Range(0, 4096));
  app.add_option("--width-per-group", width_per_group, "channels a group for 64 planes; 0 = the model's")
      ->check(CLI::Range(0, 4096));
  app.add_option("--dilate", dilate, "stages that dilate instead of striding, as 3,4; bottleneck models");
  app.add_option("--compat", compat, "seed: behave as the published program where it differs")
      ->check(CLI::IsMember({"seed"}));
}

void NetworkArguments::declare_initialisation(CLI::App& app) {
  app.add_flag("--zero-init-residual", zero_init_residual, "start each residual block as the identity");
}

std::vector<int> adaptation_exits(const RecipeArguments& recipe, bool seed_compat) {
  const model::Recipe loss = recipe.value();
  const bool all = seed_compat && loss.branches && recipe.adaptation.value_or(true);
  return all ? std::vector{1, 2, 3} : loss.adaptation_exits();
}

model::NetworkOptions NetworkArguments::options(const RecipeArguments& recipe, std::int64_t classes,
                                                std::int64_t channels, std::int64_t side) const {
  model::NetworkOptions options;
  options.model = model;
  options.classes = classes;
  options.channels = channels;
  options.image_height = options.image_width = side;
  options.width = width;
  options.stem = parse_stem(stem);
  if (groups) options.groups = groups;
  if (width_per_group) options.width_per_group = width_per_group;
  for (const int stage : parse_numbers("--dilate", dilate, 2, 4)) options.replace_stride_with_dilation[static_cast<std::size_t>(stage - 2)] = true;
  options.branches = recipe.value().branches;
  options.adaptation = adaptation_exits(recipe, seed_compat());
  if (seed_compat()) options.pooling = model::Pooling::seed_window;
  return options;
}

void ImageArguments::declare(CLI::App& app) {
  app.add_option("--classes", classes, "number of classes")->check(CLI::Range(2, 1000000));
  app.add_option("--channels", channels, "channels of an image")->check(CLI::Range(1, 4096));
  app.add_option("--side", side, "pixels along a side of an image")->check(CLI::Range(8, 4096));
}

void RecipeArguments::declare_name(CLI::App& app) {
  app.add_option("--recipe", recipe, "loss: seed, iccv2019, scan, none (labels only), baseline (no branches)");
}

void RecipeArguments::declare(CLI::App& app) {
  declare_name(app);
  app.add_option("--alpha", alpha, "weight of the teacher's soft labels in exits 1-3, of the labels 1 - alpha");
  app.add_option("--lambda", lambda, "weight of the feature term");
  app.add_option("--temperature", temperature, "T of the soft labels");
  declare_switch(app, "t2", t2, "multiply the soft term by T squared");
  app.add_option("--feature-term", feature_term, "norm: of the batch's difference; squares: their sum")
      ->check(CLI::IsMember({"norm", "squares", ""}));
  app.add_option("--feature-exits", feature_exits, "exits with a feature term, as 1,2; or none");
  declare_switch(app, "adaptation", adaptation, "a linear layer on each student's feature before it is compared");
}

model::Recipe RecipeArguments::value() const {
  model::Recipe chosen = model::recipe_by_name(recipe);
  if (alpha) chosen.alpha = *alpha;
  if (lambda) chosen.lambda = *lambda;
  if (temperature) chosen.temperature = *temperature;
  if (t2) chosen.t2 = *t2;
  if (adaptation) chosen.adaptation = *adaptation;
  if (!feature_term.empty())
    chosen.feature_term = feature_term == "norm" ? model::FeatureTerm::norm : model::FeatureTerm::squares;
  if (!feature_exits.empty()) chosen.feature_exits = parse_numbers("--feature-exits", feature_exits, 1, 3);
  model::check(chosen);
  return chosen;
}

train::ModelInfo info_of(const train::SafetensorsFile& weights, const CLI::App& app,
                         const NetworkArguments& network, const RecipeArguments& recipe,
                         const ImageArguments& images) {
  const auto given = [&](const char* name) { return app.get_option_no_throw(name) && app.count(name) > 0; };
  const train::ModelInfo wanted = train::describe(
      network.options(recipe, images.classes, images.channels, images.side), recipe.value().name);
  auto found = train::model_info(weights);
  if (!found) {
    if (given("--model")) return wanted;
    throw std::invalid_argument(fmt::format(
        "{} does not say what network it belongs to: pass --model, and --width --classes --channels --side --stem --recipe "
        "where they differ from the defaults", weights.path.string()));
  }
  if (given("--model")) found->model = wanted.model;
  if (given("--width")) found->width = wanted.width;
  if (given("--stem")) found->stem = wanted.stem;
  if (given("--groups")) found->groups = wanted.groups;
  if (given("--width-per-group")) found->width_per_group = wanted.width_per_group;
  if (given("--dilate")) found->dilated_stages = wanted.dilated_stages;
  if (given("--compat")) found->pooling = wanted.pooling;
  if (given("--classes")) found->classes = wanted.classes;
  if (given("--channels")) found->channels = wanted.channels;
  if (given("--side") && found->side != wanted.side) {
    found->side = wanted.side;
    found->resize.reset();  // it was for the other
  }
  if (given("--recipe")) found->recipe = wanted.recipe;
  return *found;
}

void leave_network_to_weights(App& app) {
  app.dump_if_given({"--model", "--width", "--stem", "--groups", "--width-per-group", "--classes", "--channels", "--side", "--recipe"});
}
}  // namespace autodidact::cli
