// engine/simd.hpp: how our own kernels become AVX2 and AVX-512 code without intrinsics.
//
// A kernel is a function, or a function template over the type of its elements, marked AUTODIDACT_KERNEL; the compiler makes one
// copy per ISA level and the loader picks the best one that the CPU has. Templates and small functions that it calls are flattened
// into each copy. Inner loops run over the channel block b, which is contiguous in every Format. Sums go into b accumulators side by
// side, so the compiler may vectorise them without reordering a sum.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
#define AUTODIDACT_KERNEL  // sanitizers start after the loader would have called their instrumented resolvers
#else
#define AUTODIDACT_KERNEL \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
#endif
