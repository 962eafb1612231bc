// engine/simd.hpp: how our own kernels become AVX2 and AVX-512 code without intrinsics.
//
// A kernel is a function, or a function template over the type of its elements, marked AUTODIDACT_KERNEL; the compiler makes one
// copy per ISA level and the loader picks the best one that the CPU has. Templates and small functions that it calls are flattened
// into each copy. Inner loops run over the channel block b, which is contiguous in every Format. Sums go into b accumulators side by
// side, so the compiler may vectorise them without reordering a sum.
#pragma once

// AUTODIDACT_KERNEL_AVX512: of what is offered only where there is AVX-512, and so made for nothing else; its vectors of 64 bytes
// would be slow, not wrong, without. AUTODIDACT_AVX512 says whether such kernels may use its own instructions.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
#define AUTODIDACT_AVX512 0
#define AUTODIDACT_KERNEL  // sanitizers start after the loader would have called their instrumented resolvers
#define AUTODIDACT_KERNEL_AVX512
#else
#define AUTODIDACT_AVX512 1
#define AUTODIDACT_KERNEL \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
#define AUTODIDACT_KERNEL_AVX512 __attribute__((target("arch=x86-64-v4"), flatten))
#endif
