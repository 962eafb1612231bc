#include "ops/batch_norm_kernels.hpp"

#include <algorithm>
#include <type_traits>

#include "ops/batch_norm_runs.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops::batch_norm_kernels {
namespace {
template <int kCount, class T>
inline void spread(const T* from, std::int64_t block, float* to) {
  for (std::int64_t l = 0; l < (kCount == kAny ? block : kCount); ++l)
    to[l] = from[channel_of<kCount>(l, block)];
}

template <int kCount, class T>
inline void statistics_run(const Sweep& s, const Run& run, const T* x, ThreadMemory& memory) {
  x += run.offset;
  spread<kCount>(x, s.block, memory.mean);  // for want of the mean: shifted by the first element
  sum_run<kCount, Term::deviation>(run.count, s.block, x, x, memory);
  // Σx = Σd + n·k and Σx² = Σd² + 2k·Σd + n·k² for the n elements of a channel, shifted by k.
  const double n = static_cast<double>(run.count / s.block);
  double* sums = memory.sums + run.channel;
  double* squares = sums + s.padded;
  for (std::int64_t c = 0; c < s.block; ++c) {
    const double k = static_cast<double>(memory.mean[c]), d = static_cast<double>(memory.first[c]);
    sums[c] += d + n * k;
    squares[c] += static_cast<double>(memory.second[c]) + k * (2 * d + n * k);
  }
}

template <int kCount, bool kRelu, bool kAdd, class T>
inline void normalise_run(const Sweep& s, const Run& run, const Factors& f, const T* x,
                          const T* z, T* y) {
  const Spread<kCount> mean(f.mean + run.channel, s.block), scale(f.scale + run.channel, s.block),
      shift(f.shift + run.channel, s.block);
  x += run.offset;
  y += run.offset;
  if (kAdd) z += run.offset;
  for_each<kCount>(run.count, s.block, y, [=](std::int64_t i, std::int64_t l) {
    float value = normalised(x[i], mean[l], scale[l], shift[l]);
    if (kAdd) value += z[i];
    return kRelu && value < 0 ? 0.0F : value;  // NaN passes, so that a broken step is noticed
  });
}

// dy of a run, in f32: the summands added, and zero where y is, if that is read. Written to `to` (dz) if that is not null. Where
// one summand is all there is to it, it is read where it lies; else the sum lies in `to`, or in the thread's memory.
template <class T>
inline const float* gradient_run(const Run& run, const Gradient& dy, T* to, float* memory) {
  const auto summand = [&](int k) { return static_cast<const T*>(dy.summands[k]) + run.offset; };
  float* g = memory;
  if constexpr (std::is_same_v<T, float>) {
    if (dy.mask != Mask::output && dy.count == 1 && to == nullptr) return summand(0);
    if (to != nullptr) g = to + run.offset;
  }
  if (dy.count == 1) {
    std::copy_n(summand(0), run.count, g);
  } else {
    const T *first = summand(0), *second = summand(1);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < run.count; ++i) g[i] = first[i] + second[i];
  }
  for (int k = 2; k < dy.count; ++k) {
    const T* next = summand(k);
#pragma GCC ivdep
    for (std::int64_t i = 0; i < run.count; ++i) g[i] += next[i];
  }
  if (dy.mask == Mask::output) {
    const T* y = static_cast<const T*>(dy.output) + run.offset;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < run.count; ++i) g[i] = y[i] > 0 ? g[i] : 0.0F;
  }
  if constexpr (!std::is_same_v<T, float>)
    if (to != nullptr) std::copy_n(g, run.count, to + run.offset);
  return g;
}

template <int kCount, bool kRecompute, class T>
inline void reduce_run(const Sweep& s, const Run& run, const Factors& f, const T* x,
                       const Gradient& dy, T* dz, ThreadMemory& memory) {
  const float* g = gradient_run(run, dy, dz, memory.gradient);
  spread<kCount>(f.mean + run.channel, s.block, memory.mean);
  spread<kCount>(f.scale + run.channel, s.block, memory.scale);
  spread<kCount>(f.shift + run.channel, s.block, memory.shift);
  sum_run<kCount, kRecompute ? Term::where_open : Term::given>(run.count, s.block, g,
                                                               x + run.offset, memory);
  double* sums = memory.sums + run.channel;
  double* products = sums + s.padded;
  for (std::int64_t c = 0; c < s.block; ++c) {
    sums[c] += static_cast<double>(memory.first[c]);
    products[c] += static_cast<double>(memory.second[c]);
  }
}

template <int kCount, bool kRecompute, class T>
inline void apply_run(const Sweep& s, const Run& run, const Factors& f, const T* x,
                      const Gradient& dy, T* dx, ThreadMemory& memory) {
  const float* g = gradient_run<T>(run, dy, nullptr, memory.gradient);
  const Spread<kCount> mean(f.mean + run.channel, s.block), scale(f.scale + run.channel, s.block),
      shift(f.shift + run.channel, s.block), centre(f.centre + run.channel, s.block),
      slope(f.slope + run.channel, s.block);
  x += run.offset;
  dx += run.offset;
  for_each<kCount>(run.count, s.block, dx, [=](std::int64_t i, std::int64_t l) {
    const bool open = !kRecompute || normalised(x[i], mean[l], scale[l], shift[l]) > 0;
    return scale[l] * ((open ? g[i] : 0.0F) - centre[l] - (x[i] - mean[l]) * slope[l]);
  });
}

// A sweep's part for one thread: runs [begin, end).
struct Part {
  const Sweep& sweep;
  std::int64_t begin, end;
  ThreadMemory memory;
};

// Calls body with the number of lanes, a constant.
template <class Body>
inline void with_lanes(const Sweep& s, Body body) {
  if (kLanes % s.block == 0)
    body(std::integral_constant<int, kLanes>{});
  else
    body(std::integral_constant<int, kAny>{});
}
template <class Body>
inline void with_lanes_and_mask(const Sweep& s, Mask mask, Body body) {
  with_lanes(s, [&](auto lanes) {
    if (mask == Mask::recompute)
      body(lanes, std::true_type{});
    else
      body(lanes, std::false_type{});
  });
}

template <class T>
AUTODIDACT_KERNEL void statistics_part(Part& p, const T* x) {
  with_lanes(p.sweep, [&](auto lanes) {
    for (std::int64_t i = p.begin; i < p.end; ++i)
      statistics_run<lanes()>(p.sweep, Run(p.sweep, i), x, p.memory);
  });
}

template <class T>
AUTODIDACT_KERNEL void normalise_part(Part& p, const Factors& f, const T* x, const T* z, T* y, bool relu) {
  with_lanes(p.sweep, [&](auto lanes) {
    for (std::int64_t i = p.begin; i < p.end; ++i) {
      const Run run(p.sweep, i);
      if (z != nullptr)
        normalise_run<lanes(), true, true>(p.sweep, run, f, x, z, y);
      else if (relu)
        normalise_run<lanes(), true, false>(p.sweep, run, f, x, z, y);
      else
        normalise_run<lanes(), false, false>(p.sweep, run, f, x, z, y);
    }
  });
}

template <class T>
AUTODIDACT_KERNEL void reduce_part(Part& p, const Factors& f, const T* x, const Gradient& dy, T* dz) {
  with_lanes_and_mask(p.sweep, dy.mask, [&](auto lanes, auto recompute) {
    for (std::int64_t i = p.begin; i < p.end; ++i)
      reduce_run<lanes(), recompute()>(p.sweep, Run(p.sweep, i), f, x, dy, dz, p.memory);
  });
}

template <class T>
AUTODIDACT_KERNEL void apply_part(Part& p, const Factors& f, const T* x, const Gradient& dy, T* dx) {
  with_lanes_and_mask(p.sweep, dy.mask, [&](auto lanes, auto recompute) {
    for (std::int64_t i = p.begin; i < p.end; ++i)
      apply_run<lanes(), recompute()>(p.sweep, Run(p.sweep, i), f, x, dy, dx, p.memory);
  });
}

std::size_t factors_bytes(const Sweep& s) {
  return engine::aligned(sizeof(float) * static_cast<std::size_t>(6 * s.padded));
}

// Threads sum their runs, then their sums are added in the order of the threads.
template <class Body>
void sum_over_runs(engine::Lane& lane, const Sweep& s, double* sums, void* scratch, Body body) {
  std::byte* threads = static_cast<std::byte*>(scratch) + factors_bytes(s);
  const auto memory = [&](int thread) { return ThreadMemory(s, threads, thread); };
  for (int t = 0; t < lane.size(); ++t) std::fill_n(memory(t).sums, 2 * s.padded, 0.0);
  lane.parallel(s.runs, [&](std::int64_t begin, std::int64_t end, int thread) {
    Part part{s, begin, end, memory(thread)};
    body(part);
  });
  lane.parallel(2 * s.padded, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t c = begin; c < end; ++c) {
      sums[c] = 0;
      for (int t = 0; t < lane.size(); ++t) sums[c] += memory(t).sums[c];
    }
  });
  sums[2 * s.padded] = static_cast<double>(s.samples);
}

// Calls body with two functions that turn a void tensor into one of the sweep's element type.
template <class Body>
void as_elements(const Sweep& sweep, Body body) {
  engine::with_element(sweep.element, [&](auto t) {
    using T = decltype(t);
    body([](const void* tensor) { return static_cast<const T*>(tensor); }, [](void* tensor) { return static_cast<T*>(tensor); });
  });
}
}  // namespace

Sweep::Sweep(const engine::TensorType& type)
    : element(type.dtype),
      channels(type.shape[1]),
      padded(type.channel_blocks() * type.format.block),
      block(type.format.block),
      blocks(type.channel_blocks()),
      positions(type.shape[2] * type.shape[3]),
      samples(type.shape[0] * positions),
      run(std::clamp(kRunElements / block, std::int64_t{1}, positions)),
      runs_per_plane((positions + run - 1) / run),
      runs(type.shape[0] * blocks * runs_per_plane) {}

std::size_t Sweep::scratch_bytes(int threads) const {
  return factors_bytes(*this) + ThreadMemory::bytes(*this) * static_cast<std::size_t>(threads);
}

Factors factors(const Sweep& s, void* scratch) {
  float* at = static_cast<float*>(scratch);
  std::fill_n(at, 6 * s.padded, 0.0F);
  return {at,
          at + s.padded,
          at + 2 * s.padded,
          at + 3 * s.padded,
          at + 4 * s.padded,
          at + 5 * s.padded};
}

void statistics(engine::Lane& lane, const Sweep& sweep, const void* x, double* sums,
                void* scratch) {
  as_elements(sweep, [&](auto from, auto) {
    sum_over_runs(lane, sweep, sums, scratch, [&](Part& part) { statistics_part(part, from(x)); });
  });
}

void normalise(engine::Lane& lane, const Sweep& sweep, const Factors& f, const void* x,
               const void* z, void* y, bool relu) {
  as_elements(sweep, [&](auto from, auto to) {
    lane.parallel(sweep.runs, [&](std::int64_t begin, std::int64_t end, int thread) {
      Part part{sweep, begin, end, ThreadMemory(sweep, nullptr, thread)};
      normalise_part(part, f, from(x), from(z), to(y), relu);
    });
  });
}

void reduce(engine::Lane& lane, const Sweep& sweep, const Factors& f, const void* x,
            const Gradient& dy, void* dz, double* sums, void* scratch) {
  as_elements(sweep, [&](auto from, auto to) {
    sum_over_runs(lane, sweep, sums, scratch, [&](Part& part) { reduce_part(part, f, from(x), dy, to(dz)); });
  });
}

void apply(engine::Lane& lane, const Sweep& sweep, const Factors& f, const void* x,
           const Gradient& dy, void* dx, void* scratch) {
  std::byte* threads = static_cast<std::byte*>(scratch) + factors_bytes(sweep);
  as_elements(sweep, [&](auto from, auto to) {
    lane.parallel(sweep.runs, [&](std::int64_t begin, std::int64_t end, int thread) {
      Part part{sweep, begin, end, ThreadMemory(sweep, threads, thread)};
      apply_part(part, f, from(x), dy, to(dx));
    });
  });
}
}  // namespace autodidact::ops::batch_norm_kernels
