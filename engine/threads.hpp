// engine/threads.hpp: lanes, the teams of threads that tasks run on. With its source, the only file that knows OpenMP
// and TBB.
//
// A lane has one size for its whole life, because a oneDNN primitive that was made for n threads gives a wrong result
// when a smaller team runs it, and because libgomp kills and makes threads when team sizes alternate. The wide lane is
// one driver thread with a team of every allowed core. Two narrow lanes run side by side, each with half of the cores: of size 1
// they are tasks of one TBB arena whose workers are capped to one thread; larger ones have a driver thread each. The wide and
// the narrow lanes never compute at the same time, so computing threads ≤ allowed cores. The calling thread opens no team.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace autodidact::engine {

// Cores this process may use: the affinity mask, cut by the cgroup's CPU quota.
int allowed_cores();

class Lane {
 public:
  explicit Lane(int size) : size_(size) {}
  int size() const { return size_; }

  // Calls body(begin, end, thread) on `size()` threads (fewer if n is smaller) with contiguous parts of [0, n), the same
  // split every time. thread < size().
  template <class Body>
  void parallel(std::int64_t n, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_parallel(n, const_cast<void*>(static_cast<const void*>(&body)),
                 [](void* context, std::int64_t begin, std::int64_t end, int thread) {
                   (*static_cast<Plain*>(context))(begin, end, thread);
                 });
  }

 private:
  using RawBody = void (*)(void*, std::int64_t, std::int64_t, int);
  void run_parallel(std::int64_t n, void* context, RawBody body);
  int size_;
};

class Lanes {
 public:
  struct Layout {
    int wide = 1;         // size of the wide lane
    int narrow_size = 1;  // size of every narrow lane
    int narrow_count = 1; // narrow_size × narrow_count ≤ wide
  };
  // What so many threads are divided into. Of the branches, the first takes about as long as the two others one after the other.
  static Layout layout_for(int threads);
  // threads ≤ 0: all allowed cores. Throws std::runtime_error if a lane does not get its threads (OMP_THREAD_LIMIT …).
  explicit Lanes(int threads = 0);
  // However many cores there are: more threads than cores compute the same, slowly.
  explicit Lanes(const Layout& layout);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  const Layout& layout() const { return layout_; }
  // Runs `work` in the wide lane and waits. Exceptions come back to the caller.
  void run_wide(const std::function<void(Lane&)>& work);
  // Runs work(lane, 0) … work(lane, count−1), each whole in one narrow lane: the next one in the lane that is free first. The
  // lanes are alike, so it does not matter in which.
  void run_narrow(int count, const std::function<void(Lane&, int)>& work);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
  Layout layout_;
};

// How long Lanes::run_narrow takes if its pieces of work take so long each.
double makespan(std::span<const double> work, int lanes);

// "OpenMP" or "TBB": what oneDNN and our loops run on.
std::string threading_name();
}  // namespace autodidact::engine
