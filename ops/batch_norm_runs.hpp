// ops/batch_norm_runs.hpp: runs and lanes, what the loops of ops/batch_norm_kernels.cpp are written with. Internal to it: all
// is inlined into its kernels, once for each level of the instruction set.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "ops/batch_norm_kernels.hpp"

namespace autodidact::ops::batch_norm_kernels {

// Lanes of the inner loops. Where b divides 16, sixteen lanes hold 16/b neighbouring positions of b channels. Otherwise
// (channels last) there are b lanes, a number known only when it runs: kAny. Arrays per lane are indexed by [l].
constexpr int kLanes = 16;
constexpr int kAny = 0;

// The channel of lane l, counted from the first of its block. A block that divides 16 is a power of two.
template <int kCount>
inline std::int64_t channel_of(std::int64_t l, std::int64_t block) {
  return kCount == kAny ? l : l & (block - 1);
}

// A number per channel, spread over the lanes of a run.
template <int kCount>
struct Spread {
  Spread(const float* from, std::int64_t block) {
    for (std::int64_t l = 0; l < kCount; ++l) values[l] = from[channel_of<kCount>(l, block)];
  }
  float operator[](std::int64_t l) const { return values[l]; }
  float values[kCount];
};
template <>
struct Spread<kAny> {
  Spread(const float* from, std::int64_t) : values(from) {}
  float operator[](std::int64_t l) const { return values[l]; }
  const float* values;
};

struct Run {
  Run(const Sweep& s, std::int64_t index) {
    const std::int64_t plane = index / s.runs_per_plane;
    const std::int64_t first = index % s.runs_per_plane * s.run;
    channel = plane % s.blocks * s.block;
    offset = (plane * s.positions + first) * s.block;
    count = std::min(s.run, s.positions - first) * s.block;
  }
  std::int64_t channel, offset, count;  // first channel; first element; elements
};

// to[i] = value(i, l) for the elements of a run, l being the lane of i. `to` may be one of the arrays that `value` reads:
// a group of lanes is computed before it is written, so no check for overlap stands in the way of vector code.
template <int kCount, class Value>
inline void for_each(std::int64_t count, std::int64_t block, float* to, Value value) {
  if constexpr (kCount == kAny) {
    for (std::int64_t i = 0; i < count; i += block) {
#pragma GCC ivdep
      for (std::int64_t l = 0; l < block; ++l) to[i + l] = value(i + l, l);
    }
  } else {
    std::int64_t i = 0;
    for (; i + kCount <= count; i += kCount) {
      float group[kCount];
      for (std::int64_t l = 0; l < kCount; ++l) group[l] = value(i + l, l);
      for (std::int64_t l = 0; l < kCount; ++l) to[i + l] = group[l];
    }
    for (std::int64_t l = 0; i + l < count; ++l) to[i + l] = value(i + l, l);
  }
}

// Private memory of one thread: two sums in f64 per channel; three arrays of lanes; a run of gradient.
struct ThreadMemory {
  static std::size_t lanes(const Sweep& s) {
    return static_cast<std::size_t>(std::max<std::int64_t>(s.block, kLanes));
  }
  static std::size_t bytes(const Sweep& s) {
    return engine::aligned(sizeof(double) * static_cast<std::size_t>(2 * s.padded)) +
           3 * engine::aligned(sizeof(float) * lanes(s)) +
           engine::aligned(sizeof(float) * static_cast<std::size_t>(s.run * s.block));
  }
  ThreadMemory(const Sweep& s, std::byte* threads, int thread) {
    std::byte* at = threads + bytes(s) * static_cast<std::size_t>(thread);
    sums = reinterpret_cast<double*>(at);
    at += engine::aligned(sizeof(double) * static_cast<std::size_t>(2 * s.padded));
    for (float** array : {&first, &second, &shift})
      *array = reinterpret_cast<float*>(
          std::exchange(at, at + engine::aligned(sizeof(float) * lanes(s))));
    gradient = reinterpret_cast<float*>(at);
  }
  double* sums;
  float *first, *second, *shift, *gradient;
};

// Adds the lanes of a channel, in pairs: a[c] for c < block.
template <int kCount>
inline void fold(float* a, std::int64_t block) {
  for (std::int64_t half = kCount / 2; half >= block; half /= 2)
    for (std::int64_t l = 0; l < half; ++l) a[l] += a[l + half];
}

// Per channel c < block: first = Σg, second = Σ g·(x−shift) over a run; g = x − shift where kSquares. Four groups of lanes
// at a time: their sums are taken in registers, so that the arrays are touched rarely enough.
template <int kCount, bool kSquares>
inline void sum_run(std::int64_t count, std::int64_t block, const float* __restrict g,
                    const float* __restrict x, const float* __restrict shift,
                    float* __restrict first, float* __restrict second) {
  const std::int64_t lanes = kCount == kAny ? block : kCount;
  std::fill_n(first, lanes, 0.0F);
  std::fill_n(second, lanes, 0.0F);
  std::int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes, x += 4 * lanes, g += 4 * lanes) {
#pragma GCC ivdep
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float d0 = x[l] - shift[l], d1 = x[lanes + l] - shift[l];
      const float d2 = x[2 * lanes + l] - shift[l], d3 = x[3 * lanes + l] - shift[l];
      const float g0 = kSquares ? d0 : g[l], g1 = kSquares ? d1 : g[lanes + l];
      const float g2 = kSquares ? d2 : g[2 * lanes + l], g3 = kSquares ? d3 : g[3 * lanes + l];
      first[l] += (g0 + g1) + (g2 + g3);
      second[l] += (g0 * d0 + g1 * d1) + (g2 * d2 + g3 * d3);
    }
  }
  for (; i < count; i += lanes, x += lanes, g += lanes) {
    const std::int64_t rest = std::min(lanes, count - i);
#pragma GCC ivdep
    for (std::int64_t l = 0; l < rest; ++l) {
      const float d = x[l] - shift[l], gl = kSquares ? d : g[l];
      first[l] += gl;
      second[l] += gl * d;
    }
  }
  fold<kCount>(first, block);
  fold<kCount>(second, block);
}
}  // namespace autodidact::ops::batch_norm_kernels
