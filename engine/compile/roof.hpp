// engine/compile/roof.hpp: what a CPU can do at most, as Williams, Waterman and Patterson's roofline has it (CACM 2009). Internal to engine/compile.
#pragma once

namespace autodidact::engine::compile_passes {

// Milliseconds that one thread needs for so many products of f32 numbers, each added to a sum, if it reads no memory. Measured in the first call, in some 20 ms,
// and kept among the timings of candidates (engine/compile/timings.hpp). 0, that is nothing is known, where there is no kernel of ours for the CPU: without AVX-512,
// in builds with sanitizers or without optimisation.
double least_ms_of_products(double products);
}  // namespace autodidact::engine::compile_passes
