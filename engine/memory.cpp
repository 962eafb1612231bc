#include "engine/memory.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "engine/shape.hpp"

namespace autodidact::engine {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20U;
}

void FreeMemory::operator()(std::byte* memory) const { std::free(memory); }

Memory allocate(std::size_t bytes) {
  if (bytes == 0) return {};
  const bool large = bytes >= kHugePage;
  const std::size_t alignment = large ? kHugePage : kAlignment;
  const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(alignment, size)));
  if (!memory) throw std::bad_alloc();
  if (large) (void)madvise(memory.get(), size, MADV_HUGEPAGE);  // a wish: refused, it costs speed alone
  return memory;
}
}  // namespace autodidact::engine
