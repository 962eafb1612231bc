// engine/roof.hpp: what a CPU can do at most, as Williams, Waterman and Patterson's roofline has it (CACM 2009).
#pragma once

namespace autodidact::engine {

// Products of f32 numbers, each added to a sum, that one thread can do in a millisecond: those of a loop that reads no memory. Measured once a process, in
// a few milliseconds. Infinity where our own kernels are not made for the CPU at hand, as in builds with sanitizers: then it is not known.
double most_products_per_ms();
}  // namespace autodidact::engine
