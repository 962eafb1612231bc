// engine/memory.hpp: large aligned pieces of memory: the arena, the sections of a parameter store.
//
// A step touches a gigabyte; on huge pages of 2 MiB it is some percent faster than on pages of 4 KiB, because fewer addresses have
// to be looked up in the page table. But huge pages come slowly where memory is short, fragmented or virtual, and the first step
// would wait for them. So memory starts on small pages, and once it has been used the kernel is asked to merge them, piece by piece,
// by a thread that has nothing else to do (Linux 6.1: MADV_COLLAPSE; elsewhere nothing happens).
#pragma once
#include <cstddef>
#include <memory>

namespace autodidact::engine {

struct FreeMemory {
  void operator()(std::byte* memory) const;
};
using Memory = std::unique_ptr<std::byte, FreeMemory>;

// At least `bytes`, aligned to a cache line (from 2 MiB on to a huge page), contents undefined; null for 0 bytes. Throws
// std::bad_alloc.
Memory allocate(std::size_t bytes);

// Merges, in the background, the pages of all pieces that were allocated since the last call. Call it when they have been written to.
void merge_pages();
}  // namespace autodidact::engine
