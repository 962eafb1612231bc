// `autodidact bench`
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/bench_companion.hpp"
#include "cli/command.hpp"
#include "cli/optimizer_arguments.hpp"
#include "train/errors.hpp"
#include "train/machine.hpp"
#include "train/median.hpp"
#include "train/precision.hpp"
#include "train/random_batch.hpp"
#include "train/scaling.hpp"
#include "train/step_check.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {
namespace {
using Json = nlohmann::ordered_json;

struct BenchArguments {
  std::string what;
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  OptimizerArguments optimizer;
  CompileArguments compile;
  JsonOutput json;
  std::int64_t batch = 128;
  int steps = 10;
  bool check = false;

  void declare(App& arguments) {
    CLI::App& app = *arguments;
    app.add_option("what", what, "step: time training steps · infer: time the logits of batches, as eval computes them · "
                   "floor: the fastest candidate of every task of a training step, summed · scaling: simulate a step on more threads · "
                   "ops, peers: one op at a time, PyTorch's step beside ours; these two have options of their own, behind the word")
        ->required()
        ->check(CLI::IsMember({"step", "infer", "floor", "scaling", "ops", "peers"}));
    network.declare(app);
    recipe.declare(app);
    images.declare(app);
    optimizer.declare(arguments);
    app.add_option("--batch", batch, "images a step")->check(CLI::Range(2, 1000000));
    app.add_option("--steps", steps, "timed steps, after the first, which is reported apart")->check(CLI::Range(1, 1000000));
    app.add_flag("--check", check, "step: first compare its gradients with those of a plain computation; beyond the tolerance is exit code 5");
    compile.declare(app);
    json.declare(app);
  }
  train::TrainerOptions options() const {
    train::TrainerOptions trainer;
    trainer.recipe = recipe.value();
    trainer.network = network.options(recipe, images.classes, images.channels, images.side);
    trainer.optimizer = optimizer.options();
    trainer.programs = compile.programs();
    return trainer;
  }
};

// Seconds that the program would take if every pass ran its fastest candidate, nothing had to be reordered or made again, and no core
// ever waited: core-seconds of all tasks divided by the cores. In training the packing of weights is part of a candidate's time.
double floor_seconds(const engine::Program& program, int cores) {
  double core_ms = 0;
  for (const engine::Task& task : program.tasks()) core_ms += task.fastest_ms * task.threads;
  return core_ms / cores / 1000;
}

Json describe(const BenchArguments& bench, const train::Trainer& trainer, const engine::Program& program, int threads) {
  Json json{{"model", bench.network.model},
            {"width", bench.network.width},
            {"batch", bench.batch},
            {"precision", name_of(trainer.options().programs.precision)},
            {"threads", threads}};
  if (bench.what != "infer") json["recompute"] = bench.compile.recompute;
  json["lanes"] = threads > 1 && program.divided();
  json["floor_s"] = bench.compile.choice() == engine::Choose::measure ? Json(floor_seconds(program, threads)) : Json();
  json["arena_bytes"] = program.memory().arena;
  return json;
}

// Calls `step` once and then as often as was asked for.
Json time_steps(const BenchArguments& bench, const std::function<void()>& step) {
  using Clock = std::chrono::steady_clock;
  step();
  const double first = train::process_seconds();
  std::vector<double> seconds;
  for (int i = 0; i < bench.steps; ++i) {
    const auto start = Clock::now();
    step();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  Json json;
  json["steps"] = bench.steps;
  json["first_step_s"] = first;
  json["median_s"] = train::median(seconds);
  json["min_s"] = *std::min_element(seconds.begin(), seconds.end());
  json["max_s"] = *std::max_element(seconds.begin(), seconds.end());
  json["images_per_s"] = static_cast<double>(bench.batch) / train::median(seconds);
  // The program that a step is compared with takes more than the step.
  json["peak_rss_bytes"] = bench.check ? Json() : Json(train::peak_rss_bytes());
  return json;
}

Json time_training(const BenchArguments& bench, train::Trainer& trainer, const data::Batch& batch, int threads) {
  const Json times = time_steps(bench, [&] { trainer.step(batch, bench.optimizer.lr); });
  Json json = describe(bench, trainer, trainer.programs().training(bench.batch), threads);
  json.update(times);
  return json;
}

Json time_inference(const BenchArguments& bench, train::Trainer& trainer, const data::Batch& batch, int threads) {
  engine::Program& program = trainer.programs().inference(bench.batch);
  const Json times = time_steps(bench, [&] {
    train::Trainer::feed(program, batch);
    trainer.executor().run(program, trainer.store());
  });
  Json json = describe(bench, trainer, program, threads);
  json.update(times);
  return json;
}

// The step on 1, 2, 4 … threads; those that are here are timed too, to see what the simulation is worth.
Json simulate_scaling(const BenchArguments& bench, const train::TrainerOptions& options, const data::Batch& batch, engine::Lanes& lanes) {
  constexpr int kMostThreads = 64;
  const train::StepScaling step = train::measure_scaling(options, batch, lanes, bench.steps);
  Json rows = Json::array();
  double one = 0;
  for (int threads = 1; threads <= kMostThreads; threads *= 2) {
    const double seconds = train::simulated_seconds(step, engine::Lanes::layout_for(threads), options.programs.branches);
    if (threads == 1) one = seconds;
    Json row{{"threads", threads}, {"simulated_s", seconds}, {"speedup", one / seconds}, {"measured_s", nullptr}};
    if (threads <= lanes.layout().wide) {
      engine::Lanes team(threads);
      train::Trainer trainer(options, team);
      row["measured_s"] = time_steps(bench, [&] { trainer.step(batch, bench.optimizer.lr); })["median_s"];
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void print_scaling(const Json& rows) {
  fmt::print("{:>8} {:>14} {:>9} {:>12}\n", "threads", "simulated s", "speed-up", "measured s");
  for (const Json& row : rows)
    fmt::print("{:>8} {:>14.3f} {:>9.2f} {:>12}\n", row["threads"].get<int>(), row["simulated_s"].get<double>(), row["speedup"].get<double>(),
               row["measured_s"].is_null() ? "" : fmt::format("{:.3f}", row["measured_s"].get<double>()));
}

// Prints the largest errors; all of them are in the result.
Json check(std::FILE* file, train::Trainer& trainer, const data::Batch& batch) {
  constexpr std::size_t kPrinted = 10;
  const train::StepCheck check = train::check_step(trainer, batch);
  std::vector<std::pair<double, std::string>> worst;
  for (const auto& [name, error] : check.errors) worst.emplace_back(error, name);
  std::sort(worst.rbegin(), worst.rend());
  fmt::print(file, "{} tensors of a step against {}; relative error, at most {:.0e}{}:\n", worst.size(), check.against,
             check.tolerance(), check.winograd ? " (Winograd)" : "");
  for (std::size_t i = 0; i < std::min(kPrinted, worst.size()); ++i)
    fmt::print(file, "  {:.1e}  {}\n", worst[i].first, worst[i].second);
  if (!check.passed())
    throw train::NumericalError(fmt::format("the step is not that of {}: {} differs by {:.1e}, more than {:.0e}", check.against,
                                            worst.front().second, worst.front().first, check.tolerance()));
  return {{"against", check.against}, {"winograd", check.winograd}, {"tolerance", check.tolerance()}, {"errors", check.errors}};
}

void print(const Json& json) {
  fmt::print("{} width {}, batch {}, {}, {} threads\n", json["model"].get<std::string>(), json["width"].dump(), json["batch"].dump(),
             json["precision"].get<std::string>(), json["threads"].dump());
  const auto line = [&](const char* key, const char* text, double scale, const char* unit) {
    if (json.contains(key) && json[key].is_number()) fmt::print("  {:<42} {:>9.3f} {}\n", text, json[key].get<double>() * scale, unit);
  };
  line("median_s", "step, median", 1, "s");
  line("min_s", "step, fastest", 1, "s");
  line("max_s", "step, slowest", 1, "s");
  line("floor_s", "sum of the fastest candidates", 1, "s");
  line("first_step_s", "from the start to the end of the first step", 1, "s");
  line("images_per_s", "images a second", 1, "");
  line("peak_rss_bytes", "peak memory of the process", 1e-9, "GB");
  line("arena_bytes", "of it activations, gradients, scratch", 1e-9, "GB");
}
}  // namespace

int run_bench(const Arguments& arguments) {
  if (!arguments.empty() && is_bench_companion(arguments.front())) run_bench_companion(arguments.front(), {arguments.begin() + 1, arguments.end()});
  BenchArguments bench;
  App app("bench", "Times the training step or inference on random images in memory, sums the fastest candidates of the step's tasks, or simulates more threads.");
  bench.declare(app);
  app.parse(arguments);
  if (is_bench_companion(bench.what)) throw std::invalid_argument(fmt::format("bench {0} has options of its own: they stand behind '{0}'", bench.what));

  engine::Lanes lanes(bench.compile.threads);
  const engine::Mode mode = bench.what == "infer" ? engine::Mode::infer : engine::Mode::train;
  train::Trainer trainer(train::with_precision(bench.options(), bench.batch, mode, lanes), lanes);
  if (bench.what == "floor" && bench.compile.choice() != engine::Choose::measure)
    throw std::invalid_argument("bench floor measures every candidate: --choose must be measure");
  if (bench.check && bench.what != "step") throw std::invalid_argument("--check compares gradients: it belongs to bench step");
  const int threads = lanes.layout().wide;
  const train::RandomBatch data(trainer.options().network, bench.batch);
  const Json checked = bench.check ? check(bench.json.to_stdout() ? stderr : stdout, trainer, data.batch()) : Json();
  Json json;
  if (bench.what == "step") json = time_training(bench, trainer, data.batch(), threads);
  if (bench.what == "infer") json = time_inference(bench, trainer, data.batch(), threads);
  if (bench.what == "floor") json = describe(bench, trainer, trainer.programs().training(bench.batch), threads);
  if (bench.what == "scaling") {
    json = describe(bench, trainer, trainer.programs().training(bench.batch), threads);
    json["scaling"] = simulate_scaling(bench, trainer.options(), data.batch(), lanes);
  }
  if (bench.check) json["check"] = checked;
  if (!bench.json.to_stdout()) print(json);
  if (!bench.json.to_stdout() && bench.what == "scaling") print_scaling(json["scaling"]);
  bench.json.write(json);
  return 0;
}
}  // namespace autodidact::cli
