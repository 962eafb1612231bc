// train/trials.hpp: what --precision auto and --lanes auto mean: whichever of two ways takes less time here, by trial of whole programs, each as fast as
// --choose makes it.
//
// bf16 halves the memory traffic of planes, and with AMX its products are several times as fast as those of f32; without AMX it depends
// on the network, as our algorithms of fewer multiplications are for f32. Branches side by side leave no thread without work where planes are small, but each
// lane reads packed weights of its own: with two threads the difference is a percent.
#pragma once
#include <string>

#include "engine/op.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

template <class Choice>
struct Found {
  Choice choice{};
  std::string reason;  // in words, with the times
};

// These time training steps, or inference, on random images. What was found is kept with the other timings (engine/compile/timings.hpp), so that the next
// start finds the same.

// f32 without a trial where oneDNN has no bf16.
Found<engine::Precision> find_precision(const TrainerOptions& options, std::int64_t batch, engine::Mode mode, engine::Lanes& lanes);

// Whether the branches run side by side. Without a trial where there is one thread, or nothing to divide.
Found<bool> find_lanes(const TrainerOptions& options, std::int64_t batch, engine::Mode mode, engine::Lanes& lanes);

// The options with ProgramOptions::find_precision and find_lanes answered, the first first; says on stderr what was found.
TrainerOptions with_trials(TrainerOptions options, std::int64_t batch, engine::Mode mode, engine::Lanes& lanes);
}  // namespace autodidact::train
