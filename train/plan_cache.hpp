// train/plan_cache.hpp: keeps what compile has measured (engine/compile/timings.hpp) in a file, so that the next start with the
// same network chooses the same algorithms without measuring.
//
// A file belongs to one machine and one state of our kernels: CPU, instruction set, library, its version and its threading, and a hash of the kernels
// (ops/kernels.hpp) are written in its second line, and its name contains a hash of that. What is damaged or of another machine is left unread and replaced,
// never trusted; files of other kernels lie beside it until they are deleted:
//
//   autodidact timings 1
//   MACHINE
//   MILLISECONDS<tab>KEY            one line a measured candidate
//   end COUNT XXH64                 of the lines between
#pragma once
#include <filesystem>
#include <string>

#include "engine/compile/timings.hpp"

namespace autodidact::train {

// "AMD EPYC 25/17/1, AVX512_CORE_BF16, oneDNN 2.6.3 OpenMP, kernels 0123456789ab": where this is the same, times are, and so are a run's bits.
std::string machine_text();

// $XDG_CACHE_HOME/autodidact/plan-HASH.txt, or ~/.cache/autodidact/…; empty where neither variable is set.
std::filesystem::path default_plan_cache();

// Adds what the file holds. Empty if all is well or there is no file; otherwise one sentence that says why nothing was read.
std::string read_plan_cache(const std::filesystem::path& path, engine::Timings& timings);

// Writes all timings, and those that the file has beside them, atomically; makes the folder. Throws ResourceError.
void write_plan_cache(const std::filesystem::path& path, engine::Timings& timings);
}  // namespace autodidact::train
