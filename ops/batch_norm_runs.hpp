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
template <int kCount, class T, class Value>
inline void for_each(std::int64_t count, std::int64_t block, T* to, Value value) {
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

// Private memory of one thread: two sums in f64 per channel; five arrays of lanes; a run of gradient.
struct ThreadMemory {
  static std::size_t lanes(const Sweep& s) {
    return static_cast<std::size_t>(std::max<std::int64_t>(s.block, kLanes));
  }
  static std::size_t bytes(const Sweep& s) {
    return engine::aligned(sizeof(double) * static_cast<std::size_t>(2 * s.padded)) +
           5 * engine::aligned(sizeof(float) * lanes(s)) +
           engine::aligned(sizeof(float) * static_cast<std::size_t>(s.run * s.block));
  }
  ThreadMemory(const Sweep& s, std::byte* threads, int thread) {
    std::byte* at = threads + bytes(s) * static_cast<std::size_t>(thread);
    sums = reinterpret_cast<double*>(at);
    at += engine::aligned(sizeof(double) * static_cast<std::size_t>(2 * s.padded));
    for (float** array : {&first, &second, &mean, &scale, &shift})
      *array = reinterpret_cast<float*>(
          std::exchange(at, at + engine::aligned(sizeof(float) * lanes(s))));
    gradient = reinterpret_cast<float*>(at);
  }
  double* sums;
  float *first, *second, *mean, *scale, *shift, *gradient;
};

// Adds the lanes of a channel, in pairs: a[c] for c < block.
template <int kCount>
inline void fold(float* a, std::int64_t block) {
  for (std::int64_t half = kCount / 2; half >= block; half /= 2)
    for (std::int64_t l = 0; l < half; ++l) a[l] += a[l + half];
}

// The value in front of a ReLU without z: forward and backward must round alike, so all call this.
inline float normalised(float x, float mean, float scale, float shift) {
  return (x - mean) * scale + shift;
}

// What sum_run sums: g given · g where the ReLU was open, else 0 · x − μ itself.
enum class Term : std::uint8_t { given, where_open, deviation };

// Per channel c < block: first = Σg, second = Σ g·(x−μ) over a run. Four groups of lanes at a time: their sums are taken in
// registers, so that the arrays are touched rarely enough. Factors per lane are in `memory`.
template <int kCount, Term kTerm, class G, class T>
inline void sum_run(std::int64_t count, std::int64_t block, const G* __restrict g,
                    const T* __restrict x, const ThreadMemory& memory) {
  const float *__restrict mean = memory.mean, *__restrict scale = memory.scale,
                          *__restrict shift = memory.shift;
  float* __restrict first = memory.first, * __restrict second = memory.second;
  const auto term = [=](std::int64_t i, std::int64_t l) -> float {
    if (kTerm == Term::deviation) return x[i] - mean[l];
    const auto given = static_cast<float>(g[i]);
    if (kTerm == Term::given) return given;
    return normalised(x[i], mean[l], scale[l], shift[l]) > 0 ? given : 0.0F;
  };
  const std::int64_t lanes = kCount == kAny ? block : kCount;
  std::fill_n(first, lanes, 0.0F);
  std::fill_n(second, lanes, 0.0F);
  std::int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
#pragma GCC ivdep
    for (std::int64_t l = 0; l < lanes; ++l) {
      const std::int64_t i0 = i + l, i1 = i0 + lanes, i2 = i1 + lanes, i3 = i2 + lanes;
      const float g0 = term(i0, l), g1 = term(i1, l), g2 = term(i2, l), g3 = term(i3, l);
      first[l] += (g0 + g1) + (g2 + g3);
      second[l] += (g0 * (x[i0] - mean[l]) + g1 * (x[i1] - mean[l])) +
                   (g2 * (x[i2] - mean[l]) + g3 * (x[i3] - mean[l]));
    }
  }
  for (; i < count; i += lanes) {
    const std::int64_t rest = std::min(lanes, count - i);
#pragma GCC ivdep
    for (std::int64_t l = 0; l < rest; ++l) {
      const float gl = term(i + l, l);
      first[l] += gl;
      second[l] += gl * (x[i + l] - mean[l]);
    }
  }
  fold<kCount>(first, block);
  fold<kCount>(second, block);
}
}  // namespace autodidact::ops::batch_norm_kernels
