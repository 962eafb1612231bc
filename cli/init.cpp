// `autodidact init`
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "model/initialise.hpp"
#include "train/programs.hpp"
#include "train/weights.hpp"

namespace autodidact::cli {

int run_init(const Arguments& arguments) {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  std::string out;
  std::uint64_t seed = 0;
  App app("init", "Writes freshly initialised weights: the same that train starts from with the same options.");
  app->add_option("--out", out, "file to write (safetensors)")->required();
  app->add_option("--seed", seed, "of the random numbers");
  network.declare(*app);
  network.declare_initialisation(*app);
  recipe.declare(*app);
  images.declare(*app);
  app.parse(arguments);

  const model::Recipe loss = recipe.value();
  const model::NetworkOptions options = network.options(recipe, images.classes, images.channels, images.side);
  const auto layout =
      std::make_shared<const engine::ParameterLayout>(train::training_graph(options, loss, 2));
  engine::ParameterStore store(layout, engine::DType::f32, false);
  model::initialise(store, seed, {.zero_init_residual = network.zero_init_residual});
  train::save_weights(out, train::describe(options, loss.name), store, 0);
  fmt::print("{}: {} parameters of {}\n", out, layout->parameter_count(), options.model);
  return 0;
}
}  // namespace autodidact::cli
