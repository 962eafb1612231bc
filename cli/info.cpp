// `autodidact info`
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/step_arguments.hpp"
#include "engine/onednn.hpp"
#include "train/machine.hpp"
#include "train/precision.hpp"
#include "train/trainer.hpp"

namespace autodidact::cli {
namespace {
using Json = nlohmann::ordered_json;

bool has_flag(const std::string& flags, const std::string& wanted) {
  std::istringstream words(flags);
  for (std::string word; words >> word;)
    if (word == wanted) return true;
  return false;
}

Json describe_cpu() {
  const std::string flags = train::cpuinfo("flags");
  return {{"model", train::cpuinfo("model name")},
          {"avx2", has_flag(flags, "avx2")},
          {"avx512", has_flag(flags, "avx512f")},
          {"avx512_bf16", has_flag(flags, "avx512_bf16")},
          {"amx_bf16", has_flag(flags, "amx_bf16")}};
}

Json describe_cores() {
  cpu_set_t mask;
  const bool known = sched_getaffinity(0, sizeof mask, &mask) == 0;
  return {{"online", sysconf(_SC_NPROCESSORS_ONLN)},
          {"affinity", known ? Json(CPU_COUNT(&mask)) : Json()},
          {"allowed", engine::allowed_cores()}};
}

Json environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? Json(value) : Json();
}

// Bytes for one training step of the given batch, by an optimizer that keeps second moments or not.
Json forecast(const train::TrainerOptions& options, std::int64_t batch, bool second_moments, engine::Lanes& lanes) {
  train::ProgramOptions how = options.programs;
  const bool accumulates = options.micro_batches > 1;
  if (accumulates) how.part = model::BatchPart::micro;
  train::Programs programs(options.network, options.recipe, lanes, how);
  const std::int64_t pieces = train::micro_batches(batch, options.micro_batches);
  const engine::MemoryForecast memory = programs.training((batch + pieces - 1) / pieces).memory();
  const engine::ParameterLayout& layout = *programs.layout();
  const std::size_t width = engine::bytes_of(engine::DType::f32);
  const std::size_t numbers = static_cast<std::size_t>(layout.parameter_elements()) * width;
  const std::size_t statistics = static_cast<std::size_t>(layout.state_elements()) * width;
  Json parts{{"arena", memory.arena},
             {"own", memory.own},
             {"values", numbers},
             {"gradients", numbers},
             {"accumulated", accumulates ? numbers : 0},
             {"momentum", numbers},
             {"second_moments", second_moments ? numbers : 0},
             {"average", options.average_decay != 0 ? numbers + 2 * statistics : 0},
             {"statistics", (accumulates ? 3 : 2) * statistics},
             {"process", train::resident_bytes() - memory.own}};  // nothing has run, but `own` has been cleared
  std::size_t total = 0;
  for (const auto& [part, bytes] : parts.items()) total += bytes.get<std::size_t>();
  Json json{{"model", options.network.model}, {"batch", batch}, {"precision", name_of(how.precision)}, {"parameters", layout.parameter_count()}};
  json.update(parts);
  json["total"] = total;
  return json;
}

std::string text_of(const Json& value) {
  if (value.is_null()) return "not set";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_machine(std::FILE* to, const Json& json) {
  const auto yes = [&](const char* flag) { return json["cpu"][flag].get<bool>() ? "yes" : "no"; };
  const Json &cores = json["cores"], &lanes = json["lanes"], &library = json["onednn"], &openmp = json["openmp"];
  fmt::print(to, "CPU              {}\n", text_of(json["cpu"]["model"]));
  fmt::print(to, "instructions     AVX2 {}, AVX-512 {}, AVX512_BF16 {}, AMX {}; oneDNN uses {}\n", yes("avx2"),
             yes("avx512"), yes("avx512_bf16"), yes("amx_bf16"), text_of(library["isa"]));
  fmt::print(to, "cores            {} online, {} in the affinity mask, {} allowed (mask and cgroup quota)\n",
             cores["online"].dump(), cores["affinity"].dump(), cores["allowed"].dump());
  fmt::print(to, "threads          {} in the wide lane; side by side {} lanes of {}\n", lanes["wide"].dump(),
             lanes["narrow"].dump(), lanes["narrow_size"].dump());
  fmt::print(to, "oneDNN           {}, threaded by {}\n", text_of(library["version"]), text_of(json["threading"]));
  fmt::print(to, "wait policy      OMP_WAIT_POLICY {}, GOMP_SPINCOUNT {}\n", text_of(openmp["OMP_WAIT_POLICY"]),
             text_of(openmp["GOMP_SPINCOUNT"]));
  fmt::print(to, "                 A program that uses the library must set GOMP_SPINCOUNT before it starts: idle OpenMP teams\n"
                 "                 spin for long by default and steal cores. autodidact starts itself again with\n"
                 "                 GOMP_SPINCOUNT=20000 and OMP_WAIT_POLICY=active if neither is set.\n");
}

void print_memory(std::FILE* to, const Json& memory) {
  const auto megabytes = [&](const char* part) { return memory[part].get<double>() / 1e6; };
  fmt::print(to, "\nmemory to train {} with batches of {} in {}, in MB\n", text_of(memory["model"]), memory["batch"].dump(),
             text_of(memory["precision"]));
  for (const auto& [part, text] :
       {std::pair{"arena", "activations, gradients of activations, scratch"}, {"own", "inputs, outputs, packed weights"},
        {"values", "parameters"}, {"gradients", "gradients of parameters"},
        {"accumulated", "their sum over micro-batches"}, {"momentum", "momentum, or the first moment"}, {"second_moments", "second moments"},
        {"average", "averaged weights and statistics"}, {"statistics", "running statistics and their copies"}, {"process", "program, libraries and kernels"}, {"total", "without the data set"}})
    if (memory[part] != 0) fmt::print(to, "  {:<14} {:>10.1f}  {}\n", part, megabytes(part), text);
}
}  // namespace

int run_info(const Arguments& arguments) {
  NetworkArguments network;
  RecipeArguments recipe;
  ImageArguments images;
  JsonOutput json;
  StepArguments step;
  std::string optimizer = "sgd";
  std::int64_t batch = 128;
  CompileArguments compile;
  compile.choose = "fixed";  // quick; measured choices may differ a little
  network.model.clear();     // no forecast
  App app("info", "This machine, its libraries, and the memory that training a model needs.");
  network.declare(*app);
  recipe.declare(*app);
  images.declare(*app);
  app->add_option("--batch", batch, "images a step, for the memory forecast")->check(CLI::Range(1, 1000000));
  app->add_option("--optimizer", optimizer, "sgd, lars or adamw, which keeps second moments")->check(CLI::IsMember({"sgd", "lars", "adamw"}));
  step.declare_memory(*app);
  compile.declare(*app);
  json.declare(*app);
  app.parse(arguments);

  engine::Lanes lanes(compile.threads);
  Json info{{"cpu", describe_cpu()}, {"cores", describe_cores()}};
  info["lanes"] = {{"wide", lanes.layout().wide}, {"narrow", lanes.layout().narrow_count}, {"narrow_size", lanes.layout().narrow_size}};
  info["onednn"] = {{"version", engine::onednn::version()}, {"threading", engine::onednn::threading()}, {"isa", engine::onednn::isa()}};
  info["threading"] = engine::threading_name();
  info["openmp"] = {{"OMP_WAIT_POLICY", environment("OMP_WAIT_POLICY")}, {"GOMP_SPINCOUNT", environment("GOMP_SPINCOUNT")}};
  std::FILE* text = json.to_stdout() ? stderr : stdout;
  print_machine(text, info);
  if (!network.model.empty()) {
    step.check(batch);
    train::TrainerOptions training;
    training.recipe = recipe.value();
    training.network = network.options(recipe, images.classes, images.channels, images.side);
    training.programs = compile.programs();
    step.set(training);
    training = train::with_precision(training, batch, engine::Mode::train, lanes);
    info["memory"] = forecast(training, batch, optimizer == "adamw", lanes);
    print_memory(text, info["memory"]);
  }
  json.write(info);
  return 0;
}
}  // namespace autodidact::cli
