// train/plan_cache.hpp: keeps what compile has measured (engine/compile/timings.hpp) in a file, so that the next start with the
// same network chooses the same algorithms without measuring.
//
// A file belongs to one machine and one build: CPU, instruction set, library, its version and its threading, and a hash of our own kernels' sources are
// written in its second line, and its name contains a hash of that. What is damaged or of another is left unread and replaced, never trusted:
//
//   autodidact timings 1
//   MACHINE, kernels HASH
//   MILLISECONDS<tab>KEY            one line a measured candidate
//   end COUNT XXH64                 of the lines between
#pragma once
#include <filesystem>
#include <string>

#include "engine/compile/timings.hpp"

namespace autodidact::train {

// "AMD EPYC 25/17/1, AVX512_CORE_BF16, oneDNN 2.6.3 OpenMP".
std::string machine_text();
// What a file of timings is of: "…, kernels 0123456789ab".
std::string measured_text();

// $XDG_CACHE_HOME/autodidact/plan-HASH.txt, or ~/.cache/autodidact/…; empty where neither variable is set.
std::filesystem::path default_plan_cache();

// Adds what the file holds. Empty if all is well or there is no file; otherwise one sentence that says why nothing was read.
std::string read_plan_cache(const std::filesystem::path& path, engine::Timings& timings);

// Writes all timings, and those that the file has beside them, atomically; makes the folder. Throws ResourceError.
void write_plan_cache(const std::filesystem::path& path, engine::Timings& timings);
}  // namespace autodidact::train
