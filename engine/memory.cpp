#include "engine/memory.hpp"

#include <sys/mman.h>

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <thread>

#include "engine/shape.hpp"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // headers older than the kernel
#endif

namespace autodidact::engine {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;

// The large pieces and how much of each has been merged. Never destroyed: pieces of static objects outlive it otherwise.
class Merger {
 public:
  void add(std::byte* memory, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    pieces_[memory] = {bytes};
  }
  // Waits at most for the huge page that is being merged.
  void remove(std::byte* memory) {
    const std::lock_guard lock(mutex_);
    pieces_.erase(memory);
  }
  void start() {
    const std::lock_guard lock(mutex_);
    for (auto& [memory, piece] : pieces_) piece.wanted = true;
    if (!started_) std::thread([this] { loop(); }).detach();
    started_ = true;
    wake_.notify_one();
  }

 private:
  struct Piece {
    std::size_t bytes = 0, merged = 0;
    bool wanted = false;
  };

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const bool more = merge_one();
      if (!more) wake_.wait(lock);
      lock.unlock();  // whoever frees a piece gets in between two pages
      lock.lock();
    }
  }

  bool merge_one() {
    for (auto& [memory, piece] : pieces_) {
      if (!piece.wanted || piece.merged >= piece.bytes) continue;
      (void)madvise(memory + piece.merged, kHugePage, MADV_COLLAPSE);  // a wish: refused, it costs speed alone
      piece.merged += kHugePage;
      return true;
    }
    return false;
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::byte*, Piece> pieces_;
  bool started_ = false;
};

Merger& merger() {
  static auto* const one = new Merger;
  return *one;
}
}  // namespace

void FreeMemory::operator()(std::byte* memory) const {
  merger().remove(memory);
  std::free(memory);
}

Memory allocate(std::size_t bytes) {
  if (bytes == 0) return {};
  const bool large = bytes >= kHugePage;
  const std::size_t alignment = large ? kHugePage : kAlignment;
  const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(alignment, size)));
  if (!memory) throw std::bad_alloc();
  if (large) merger().add(memory.get(), size);
  return memory;
}

void merge_pages() { merger().start(); }
}  // namespace autodidact::engine
