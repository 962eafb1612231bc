// ops/batch_norm_kernels.hpp: the four sweeps over memory that batch norm is made of, for f32, bf16 and every Format.
// Tensors are void here: of the element type of their Sweep. All else is f32, and sums over runs f64.
//
//     statistics   x → Σx, Σx² per channel             reduce   x, dy → Σdy', Σdy'·(x−μ) per channel  [and dz = dy']
//     normalise    x → y                               apply    x, dy → dx
//
// A tensor is cut into runs: consecutive positions of one (n, channel block), at most kRunElements long, so that what a
// run needs twice is still in the first cache. Within a run sums are f32, side by side for each lane of the channel
// block; runs are added in f64 per thread, threads in their order: the same bits every time for one number of threads.
// Σx and Σx² are sound for any mean: each run is shifted by its own first element (Chan, Golub & LeVeque 1983), and
// Σx² − (Σx)²/M is taken in f64, where it costs nothing as long as |μ| < 1e4·σ.
#pragma once
#include <cstddef>
#include <cstdint>

#include "engine/shape.hpp"
#include "engine/threads.hpp"

namespace autodidact::ops::batch_norm_kernels {

inline constexpr std::int64_t kRunElements = 4096;
inline constexpr int kMaxSummands = 8;  // more than any value of our networks has consumers

// How a tensor of `type` is walked.
struct Sweep {
  explicit Sweep(const engine::TensorType& type);
  engine::DType element;            // of x, y, z and their gradients
  std::int64_t channels, padded;    // C and ⌈C/b⌉·b
  std::int64_t block, blocks;       // b and ⌈C/b⌉
  std::int64_t positions, samples;  // H·W and M = N·H·W
  std::int64_t run, runs_per_plane, runs;

  // Two sums per channel, then M, in f64: what ranks add up. sums[c], sums[padded + c], sums[2·padded].
  std::size_t sums_count() const { return static_cast<std::size_t>(2 * padded + 1); }
  std::size_t scratch_bytes(int threads) const;
};

// Factors per channel of a sweep; each has `padded` elements, zeros beyond C, so that padded channels become zeros.
struct Factors {
  float* mean;    // μ
  float* rstd;    // r
  float* scale;   // γ·r
  float* shift;   // β
  float* centre;  // Σdy'/M            (apply only)
  float* slope;  // r²·Σdy'·(x−μ)/M   (apply only): dx = scale·(dy' − centre − (x−μ)·slope)
};
// Cuts the front of a scratch area; all zeros.
Factors factors(const Sweep& sweep, void* scratch);

// dy = dy₀ + dy₁ + … and where it counts: y' > 0, with y' recomputed from x exactly as `normalise` did, or read.
enum class Mask : std::uint8_t { none, recompute, output };
struct Gradient {
  const void* summands[kMaxSummands];
  int count;
  Mask mask;
  const void* output;  // y, for Mask::output
};

// `scratch` has sweep.scratch_bytes(threads) bytes in each call, its front being what factors() cut.
void statistics(engine::Lane& lane, const Sweep& sweep, const void* x, double* sums,
                void* scratch);
// z may be null. y may lie on x or z.
void normalise(engine::Lane& lane, const Sweep& sweep, const Factors& factors, const void* x,
               const void* z, void* y, bool relu);
// dz may be null, or lie on the first summand.
void reduce(engine::Lane& lane, const Sweep& sweep, const Factors& factors, const void* x,
            const Gradient& dy, void* dz, double* sums, void* scratch);
// dx may lie on x or on the first summand.
void apply(engine::Lane& lane, const Sweep& sweep, const Factors& factors, const void* x,
           const Gradient& dy, void* dx, void* scratch);
}  // namespace autodidact::ops::batch_norm_kernels
