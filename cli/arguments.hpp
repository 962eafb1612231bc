// cli/arguments.hpp: groups of options that several subcommands share, and what they mean.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "engine/compile/compile.hpp"
#include "model/network.hpp"
#include "model/recipe.hpp"
#include "train/programs.hpp"
#include "train/weights.hpp"

namespace autodidact::cli {

// For CLI11's check(): a sentence if the text begins with a minus.
std::string not_negative(const std::string& text);

// --NAME and --no-NAME as one option, so that the one on the command line beats the other one in a config file.
void declare_switch(CLI::App& app, const std::string& name, std::optional<bool>& value, const std::string& description);

// --threads, --precision, --choose, --lanes, --recompute, --plan-cache
struct CompileArguments {
  int threads = 0;
  std::string precision = "f32", choose = "measure", lanes = "auto", recompute = "auto", plan_cache = "auto";
  void declare(CLI::App& app);
  void declare_inference(CLI::App& app);  // all but --recompute, which is about backward
  engine::Choose choice() const;
  train::ProgramOptions programs() const;
};

// --recipe and every number of it: --alpha --lambda --temperature --t2/--no-t2 --feature-term --feature-exits
// --adaptation/--no-adaptation
struct RecipeArguments {
  std::string recipe = "seed";
  std::optional<double> alpha, lambda, temperature;
  std::optional<bool> t2, adaptation;
  std::string feature_term, feature_exits;  // "norm"|"squares", "1,2"; empty: the recipe's; "none": no exit
  void declare(CLI::App& app);
  void declare_name(CLI::App& app);  // --recipe alone: where the loss is not computed, but tells of branches
  model::Recipe value() const;
};

// --model --width --stem --groups --width-per-group --dilate --compat; and --zero-init-residual where weights are initialised
struct NetworkArguments {
  std::string model = "resnet18";
  std::int64_t width = 64;
  std::string stem = "cifar";
  std::int64_t groups = 0, width_per_group = 0;  // 0: the architecture's
  std::string dilate;                            // stages, "3,4"
  bool zero_init_residual = false;
  std::string compat;
  void declare(CLI::App& app);
  void declare_initialisation(CLI::App& app);
  bool seed_compat() const { return compat == "seed"; }
  // For images of the given kind and a loss of the given recipe.
  model::NetworkOptions options(const RecipeArguments& recipe, std::int64_t classes, std::int64_t channels,
                                std::int64_t side) const;
};

// --classes --channels --side, where no data says them
struct ImageArguments {
  std::int64_t classes = 100, channels = 3, side = 32;
  void declare(CLI::App& app);
};

// What a weights file says of its network; options given beside it win. Throws std::invalid_argument if neither says it.
train::ModelInfo info_of(const train::SafetensorsFile& weights, const CLI::App& app,
                         const NetworkArguments& network, const RecipeArguments& recipe,
                         const ImageArguments& images);

// For commands that read weights: an option of the network that was not given is what the file says, so --dump-config must not
// write its default. Call it before parse.
void leave_network_to_weights(App& app);

// The exits that have an adaptation layer: those that the recipe uses, all three under --compat seed.
std::vector<int> adaptation_exits(const RecipeArguments& recipe, bool seed_compat);
}  // namespace autodidact::cli
