// `autodidact plan`
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "data/source.hpp"
#include "train/plan_table.hpp"
#include "train/precision.hpp"
#include "train/random_batch.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {

int run_plan(const Arguments& arguments) {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  CompileArguments compile;
  JsonOutput json;
  std::int64_t batch = 128;
  int runs = 0;
  bool inference = false;
  App app("plan", "Prints the compiled program, one line a task, in the order of execution.");
  network.declare(*app);
  recipe.declare(*app);
  images.declare(*app);
  app->add_option("--batch", batch, "images a step")->check(CLI::Range(1, 1000000));
  app->add_option("--time", runs, "run so many steps on random images and print the smallest time of every task")->check(not_negative);
  app->add_flag("--inference", inference, "the program of eval instead of the training step");
  compile.declare(*app);
  json.declare(*app);
  app.parse(arguments);

  engine::Lanes lanes(compile.threads);
  const model::Recipe loss = recipe.value();
  train::TrainerOptions options;
  options.network = network.options(recipe, images.classes, images.channels, images.side);
  options.recipe = loss;
  options.programs = compile.programs();
  const engine::Mode mode = inference ? engine::Mode::infer : engine::Mode::train;
  train::Trainer trainer(train::with_precision(options, batch, mode, lanes), lanes);
  engine::Program& program =
      inference ? trainer.programs().inference(batch) : trainer.programs().training(batch);
  if (runs > 0) trainer.time_tasks(program, train::RandomBatch(trainer.options().network, batch).batch(), runs);
  if (!json.to_stdout()) fmt::print("{}", train::plan_table(program, trainer.executor().task_ms()));
  json.write(train::plan_json(program, trainer.executor().task_ms()));
  return 0;
}
}  // namespace autodidact::cli
