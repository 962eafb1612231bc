// engine/memory.hpp: large aligned pieces of memory: the arena, the sections of a parameter store.
//
// A step touches gigabytes; on huge pages of 2 MiB it is some percent faster than on pages of 4 KiB, because fewer addresses have to
// be looked up in the page table. So the kernel is asked for them before memory is used (MADV_HUGEPAGE), as its usual setting,
// madvise, requires.
#pragma once
#include <cstddef>
#include <memory>

namespace autodidact::engine {

struct FreeMemory {
  void operator()(std::byte* memory) const;
};
using Memory = std::unique_ptr<std::byte, FreeMemory>;

// At least `bytes`, aligned to a cache line, from 2 MiB on to a huge page and made of huge ones where the kernel has them; contents
// undefined; null for 0 bytes. Throws std::bad_alloc.
Memory allocate(std::size_t bytes);
}  // namespace autodidact::engine
