// ops/channel_products.hpp: vectors of 16 channels in AVX-512, and products of the small matrices that algorithms of fewer multiplications are made
// of: V (rows, C)·U (C, K), and sums over rows of d·v. What is in them is f32; it lies in blocks of 16 channels, rows after rows.
#pragma once
#include <algorithm>
#include <cstdint>

#include "engine/bf16.hpp"
#include "engine/simd.hpp"

namespace autodidact::ops::channel_products {
using std::int64_t;

constexpr int64_t kBlock = 16;  // channels
constexpr int64_t kRows = 8;    // whose products are summed side by side
constexpr int64_t kTogether = 8;  // filters, likewise

// What is as large as the caches goes past them: a line need not be read before it is written.
constexpr std::size_t kPastCaches = 8 << 20;

// A pixel's channels of one block.
using Channels = float __attribute__((vector_size(64), may_alias));
using Words = std::uint32_t __attribute__((vector_size(64)));
using Halves = std::uint16_t __attribute__((vector_size(32), may_alias));

inline void load(const float* from, Channels& to) { to = *reinterpret_cast<const Channels*>(from); }
inline void load(const engine::Bf16* from, Channels& to) {
  to = reinterpret_cast<Channels>(__builtin_convertvector(*reinterpret_cast<const Halves*>(from), Words) << 16U);
}
inline void store(const Channels& from, float* to) { *reinterpret_cast<Channels*>(to) = from; }

inline void store(const Channels& from, engine::Bf16* to) {  // as Bf16 rounds
  const Words bits = reinterpret_cast<Words>(from);
  const Words rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  const Words number = reinterpret_cast<Words>(from == from);
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector((rounded & number) | (0x7FC0U & ~number), Halves);
}

#if AUTODIDACT_AVX512
AUTODIDACT_KERNEL_AVX512 inline void store_past_caches(const Channels& from, float* to) { __builtin_ia32_movntps512(to, from); }
#else
inline void store_past_caches(const Channels& from, float* to) { store(from, to); }
#endif
inline void store_past_caches(const Channels& from, engine::Bf16* to) { store(from, to); }

template <class T>
inline void store(const Channels& from, T* to, bool past_caches) {
  if (past_caches) store_past_caches(from, to);
  else store(from, to);
}
// Behind the last: what went past the caches is not in order with other stores, by which threads tell each other that they are done.
inline void end_stores() { __builtin_ia32_sfence(); }

// Rows of 16 channels in every block, and several such matrices, the slots, after each other: they do not begin at powers of two, where they would
// share one set of the cache.
struct Rows {
  int64_t rows, blocks;
  int64_t block() const { return rows * kBlock; }
  int64_t slot() const { return blocks * block() + kBlock; }
};

// Work that is done in pieces between the calls of something else: how many are due at each call. Between products, a piece that is short enough is done
// by what of the CPU the products leave idle; for many at once, or one that takes registers from the sums, the products wait.
class Pace {
 public:
  Pace() = default;
  Pace(int64_t pieces, int64_t calls) : pieces_(pieces), calls_(calls) {}
  int64_t pieces() const { return pieces_; }
  int64_t due() {
    for (owed_ += pieces_; owed_ >= calls_; owed_ -= calls_) ++due_;
    return due_;
  }

 private:
  int64_t pieces_ = 0, calls_ = 1, owed_ = 0, due_ = 0;
};

// The i-th of so many parts of [0, n).
struct Range {
  int64_t begin, end;
};
inline Range part_of(int64_t n, int64_t i, int64_t parts) { return {n * i / parts, n * (i + 1) / parts}; }

// How threads divide a gradient among them, which is a sum over rows: `copies` sums, each over a part of the rows; several threads share one, of which each
// makes some columns. None waits for another, nor reads what another wrote, before all sums are complete.
struct Division {
  int64_t copies, sharers;
  // Of thread `i`, among so many rows and columns.
  int64_t copy(int64_t i) const { return i / sharers; }
  Range rows(int64_t i, int64_t n) const { return part_of(n, copy(i), copies); }
  Range columns(int64_t i, int64_t n) const { return part_of(n, i % sharers, sharers); }
};
// As many copies, at most one for each row, as memory allows: `fits(copies)`.
template <class Fits>
inline Division divide(int64_t threads, int64_t rows, Fits&& fits) {
  int64_t copies = std::min(threads, rows);
  while (copies > 1 && (threads % copies != 0 || !fits(copies))) --copies;
  return {copies, threads / copies};
}

// kRows rows of M (rows × 16·kVectors, a block of 16 after the other) = V·U: V has all its channels, U (channels, 16·kVectors). Calls `meanwhile` for
// each block.
template <int kVectors, class Meanwhile>
inline void multiply_rows(const float* v, const Rows& of_v, const float* u, float* m, Meanwhile&& meanwhile) {
  Channels sums[kRows][kVectors] = {};
  for (int64_t block = 0; block < of_v.blocks; ++block, v += of_v.block()) {
    meanwhile();
    for (int64_t c = 0; c < kBlock; ++c, u += kVectors * kBlock) {
      const auto* filter = reinterpret_cast<const Channels*>(u);
      for (int64_t t = 0; t < kRows; ++t)
        for (int q = 0; q < kVectors; ++q) sums[t][q] += v[t * kBlock + c] * filter[q];
    }
  }
  for (int64_t t = 0; t < kRows; ++t)
    for (int q = 0; q < kVectors; ++q) store(sums[t][q], m + (q * of_v.rows + t) * kBlock);
}

// du (C / 16·kVectors, K, 16·kVectors), of those channels of v that begin with block c: = or += Σ over rows of d (rows, K)ᵀ·v (rows, C). Calls `meanwhile`
// for each kRows rows of each kTogether filters.
template <int kVectors, class Meanwhile>
inline void add_outer_products(const float* v, const Rows& of_v, const float* d, const Rows& of_d, int64_t c, bool add, float* du, Meanwhile&& meanwhile) {
  constexpr int64_t kTile = kTogether * kVectors;  // vectors of du
  v += c * of_v.block();
  du += c * of_d.blocks * kBlock * kBlock;
  for (int64_t k = 0; k < of_d.blocks * kBlock; k += kTogether, du += kTile * kBlock) {
    const float* from_d = d + k / kBlock * of_d.block() + k % kBlock;
    Channels sums[kTogether][kVectors] = {};
    if (add)
      for (int64_t i = 0; i < kTile; ++i) {
        load(du + i * kBlock, sums[i / kVectors][i % kVectors]);
        __builtin_prefetch(du + (kTile + i) * kBlock);
      }
    for (int64_t t = 0; t < of_v.rows; ++t) {
      if (t % kRows == 0) meanwhile();
      Channels row[kVectors];
      for (int q = 0; q < kVectors; ++q) load(v + q * of_v.block() + t * kBlock, row[q]);
      for (int64_t i = 0; i < kTogether; ++i)
        for (int q = 0; q < kVectors; ++q) sums[i][q] += from_d[t * kBlock + i] * row[q];
    }
    for (int64_t i = 0; i < kTile; ++i) store(sums[i / kVectors][i % kVectors], du + i * kBlock);
  }
}
}  // namespace autodidact::ops::channel_products
