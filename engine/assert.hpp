// engine/assert.hpp: for faults of ours. A user's mistake is an exception with a sentence; this is never one.
#pragma once
#include <cstdio>
#include <cstdlib>

#define AUTODIDACT_ASSERT(condition)                                                           \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      std::fprintf(stderr, "%s:%d: internal error: %s\n", __FILE__, __LINE__, #condition);     \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
