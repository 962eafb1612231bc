// cli/bench_companion.hpp: `bench ops` and `bench peers`, which are programs of their own: the one needs Google Benchmark, the other runs PyTorch.
#pragma once
#include "cli/command.hpp"

namespace autodidact::cli {

// Whether `bench WHAT` is one of them.
bool is_bench_companion(const std::string& what);

// Becomes that program, with these arguments. Throws std::invalid_argument where it is not there or cannot be started.
[[noreturn]] void run_bench_companion(const std::string& what, const Arguments& arguments);
}  // namespace autodidact::cli
