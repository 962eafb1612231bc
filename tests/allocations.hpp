// tests/allocations.hpp: who allocates memory, by call stack. The test program's malloc and its kin are those of allocations.cpp:
// they hand on to the C library, and write down each call that falls into a recording.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace autodidact::testing {

struct Allocation {
  std::size_t bytes = 0;
  bool ours =
      false;  // the innermost frame outside the C and C++ libraries is our code, not a library's
  std::string caller;  // that frame: "autodidact_tests(+0x1234)", "libdnnl.so.2(+0x5678)"
};

// Writes down every allocation of every thread from start() to stop(). One at a time.
class AllocationRecording {
 public:
  void start();
  // In the order of the calls, at most kMost of them.
  std::vector<Allocation> stop();
  static constexpr std::size_t kMost = 1 << 16;
};

// False where the memory functions are not ours: under a sanitizer, which has its own.
bool allocations_are_seen();
}  // namespace autodidact::testing
