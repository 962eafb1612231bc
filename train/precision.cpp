#include "train/precision.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL  // the hash is a header; there is nothing to link
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "engine/compile/timings.hpp"
#include "engine/onednn.hpp"
#include "train/progress.hpp"
#include "train/random_batch.hpp"

namespace autodidact::train {
namespace {
using engine::Mode, engine::Precision;

constexpr int kTimedSteps = 3;

// All that the time depends on beside the machine.
std::string key_of(const TrainerOptions& options, std::int64_t batch, Mode mode, const engine::Lanes& lanes, Precision precision) {
  std::string graph;
  for (const engine::Graph whole = training_graph(options.network, options.recipe, batch); const engine::Node& node : whole.nodes())
    graph += fmt::format("{} {} {};", node.op->kind(), node.op->describe(), whole.value(node.outputs.front()).shape.text());
  std::string key = fmt::format("{} of {} {:016x} batch {} {} choose {} recompute {} threads {}", mode == Mode::train ? "step" : "inference",
                                options.network.model, XXH64(graph.data(), graph.size(), 0), batch, name_of(precision),
                                static_cast<int>(options.programs.choose), static_cast<int>(options.programs.recompute), lanes.layout().wide);
  if (mode == Mode::train)
    key += fmt::format(" pieces {} frozen {} optimizer {} averaged {}", options.micro_batches, options.programs.freeze_batch_norm,
                       options.optimizer.index(), options.average_decay > 0);
  if (options.programs.branches != engine::Branches::automatic) key += fmt::format(" branches {}", name_of(options.programs.branches));
  return key;
}

double smallest_ms(const std::function<void()>& step) {
  step();  // compiles, and touches the memory
  double ms = std::numeric_limits<double>::max();
  for (int i = 0; i < kTimedSteps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step();
    ms = std::min(ms, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return ms;
}

double measure(TrainerOptions options, std::int64_t batch, Mode mode, engine::Lanes& lanes, Precision precision) {
  const std::string key = key_of(options, batch, mode, lanes, precision);
  options.programs.precision = precision;
  Trainer trainer(options, lanes);  // reads what was measured before
  if (const auto known = engine::timings().find(key)) return *known;
  const RandomBatch random(options.network, batch);
  const double ms = smallest_ms([&] {
    if (mode == Mode::train) {
      trainer.step(random.batch(), 0);
      return;
    }
    engine::Program& program = trainer.programs().inference(batch);
    Trainer::feed(program, random.batch());
    trainer.executor().run(program, trainer.store());
  });
  engine::timings().add(key, ms);
  trainer.programs().keep_timings();
  return ms;
}
}  // namespace

FoundPrecision find_precision(const TrainerOptions& options, std::int64_t batch, Mode mode, engine::Lanes& lanes) {
  if (!engine::onednn::has_bf16())
    return {Precision::f32, fmt::format("oneDNN {} computes nothing in bf16 on this CPU", engine::onednn::version())};
  const double f32 = measure(options, batch, mode, lanes, Precision::f32), bf16 = measure(options, batch, mode, lanes, Precision::bf16);
  return {bf16 < f32 ? Precision::bf16 : Precision::f32,
          fmt::format("a {} of {} images takes {:.0f} ms in f32 and {:.0f} ms in bf16", mode == Mode::train ? "step" : "batch", batch, f32, bf16)};
}

TrainerOptions with_precision(TrainerOptions options, std::int64_t batch, Mode mode, engine::Lanes& lanes) {
  if (!options.programs.find_precision) return options;
  const FoundPrecision found = find_precision(options, batch, mode, lanes);
  say(fmt::format("precision {}: {}\n", name_of(found.precision), found.reason));
  options.programs.precision = found.precision;
  options.programs.find_precision = false;
  return options;
}
}  // namespace autodidact::train
