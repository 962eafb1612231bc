// train/precision.hpp: what --precision auto means: whichever of f32 and bf16 takes less time here, by trial.
//
// bf16 halves the memory traffic of planes, and with AMX its products are several times as fast as those of f32; without AMX it depends
// on the network, as our algorithms of fewer multiplications do for f32. So nothing but a trial can tell: of two whole programs, each as fast as --choose makes it.
#pragma once
#include <string>

#include "engine/op.hpp"
#include "train/trainer.hpp"

namespace autodidact::train {

struct FoundPrecision {
  engine::Precision precision = engine::Precision::f32;
  std::string reason;  // in words, with the times
};

// Times training steps, or inference, on random images. What was found is kept with the other timings (engine/compile/timings.hpp), so
// that the next start finds the same. f32 without a trial where oneDNN has no bf16.
FoundPrecision find_precision(const TrainerOptions& options, std::int64_t batch, engine::Mode mode, engine::Lanes& lanes);

// The options as they are, or, with ProgramOptions::find_precision, those of the precision that was found; says so on stderr.
TrainerOptions with_precision(TrainerOptions options, std::int64_t batch, engine::Mode mode, engine::Lanes& lanes);
}  // namespace autodidact::train
