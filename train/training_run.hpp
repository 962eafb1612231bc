// train/training_run.hpp: a whole run: data, epochs, metrics, files. What `autodidact train` does with its options.
#pragma once
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "data/augment.hpp"
#include "data/source.hpp"
#include "data/split.hpp"
#include "optim/schedule.hpp"
#include "train/run_directory.hpp"
#include "train/run_result.hpp"
#include "train/save_every.hpp"
#include "train/trainer.hpp"
#include "train/weights.hpp"

namespace autodidact::train {

struct RunOptions {
  TrainerOptions trainer = {};
  ModelInfo info = {};             // written into the weights' metadata
  optim::ScheduleOptions schedule = {};
  int epochs = 250;
  std::size_t batch = 128;
  int workers = 1;                 // threads that read and augment images; changes no bits
  std::int64_t max_steps = 0;      // 0: no limit
  data::AugmentOptions augment = {};
  data::MixingOptions mixing = {};
  data::Validation validation = data::Validation::held_out;
  bool best_on_test = false;       // the seed's way; said so in the output. Needs a test half
  std::filesystem::path init_from = {};
  std::filesystem::path directory = {};
  ExistingRun existing = ExistingRun::refuse;
  std::string resume = {};         // "auto": from the newest checkpoint in `directory`, if there is one · a checkpoint's path
  SaveEvery save_every = {};
  int keep = 2;                    // newest checkpoints that stay, beside the best
  std::string data = {};           // its name, for the record
  std::string config_text = {};    // config.toml: what a resumed run is compared by (train/resume.hpp)
  std::string default_config_text = {};  // what an option is that a config.toml does not name, because it was written before there was one
  std::FILE* tables = stdout;      // where the table of each epoch goes
};

// What the best epoch is picked on: "validation", "test" or "training".
std::string_view judged_on(const RunOptions& options);

// Trains, printing progress to stderr and tables to stdout, and writes the run directory. The lanes are the caller's.
// Nothing is written, and no old run removed, before options, data, network and memory have been found good. A signal ends the run
// after the step it came in, or before the first step, with a checkpoint; one that cannot wait is sent twice. A run that is resumed gives
// the same bits, in weights and in metrics.jsonl but for images_per_s and time, as one that was never stopped.
RunResult run_training(const RunOptions& options, const data::Source& source, engine::Lanes& lanes);
}  // namespace autodidact::train
