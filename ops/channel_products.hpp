// ops/channel_products.hpp: vectors of 16 channels in AVX-512, and products of the small matrices that algorithms of fewer multiplications are made
// of: V (rows, C)·U (C, K), and sums over rows of d·v. What is in them is f32; it lies in blocks of 16 channels, rows after rows.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "engine/bf16.hpp"
#include "engine/mutation.hpp"
#include "engine/simd.hpp"

namespace autodidact::ops::channel_products {
using std::int64_t;

constexpr int64_t kBlock = 16;  // channels
constexpr int64_t kRows = 8;    // whose products are summed side by side; or filters

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
  // Room for what sums of a slot start from: a number for each row in V·U, for each channel in dᵀ·v.
  int64_t starts() const { return std::max((rows + kBlock - 1) / kBlock, blocks) * kBlock; }
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

// How the terms of a sum are multiplied: each by itself (`single`), or two by one multiplication (`paired`):
//
//     x1·y1 + x2·y2 = (x1 + y2)·(x2 + y1) − x1·x2 − y1·y2
//
// Source    Winograd 1968, "A New Algorithm for Inner Product", IEEE Transactions on Computers C-17; rounding: Higham 2002, "Accuracy and
//           Stability of Numerical Algorithms", §23.2.
//
// x1·x2 is the same for every y that this x meets, y1·y2 for every x: they are summed once, and the sums of all products start from what is
// subtracted. What remains are two additions for a multiplication. A CPU with units that add beside those that multiply does both at once: Zen 4
// one vector of 64 bytes of each in a cycle. A CPU without is slower so, which the choice by measured time finds. Of three terms the first two are
// a pair and the third is by itself, as is the last of kBlock: 11 multiplications and 10 additions where there are 16 multiplications.
//
// Errors are relative to (|x| + |y|)², not to |x|·|y|, so x and y must be of one size: x is multiplied by a power of two, see `balance`. They are as large for
// rows of x that are smaller than its mean: one of 10⁻⁴ of it keeps three digits.
enum class Sums { single, paired };
constexpr int kPairs = 5, kPairStep = 3;  // of kBlock terms, and from one pair to the next

// All 16 numbers are *from. As integers: vpbroadcastd is nothing but a load; vbroadcastss, which floats get, takes Zen 4 a unit of arithmetic.
inline void broadcast(const float* from, Channels& to) {
  using Word = std::uint32_t __attribute__((may_alias));
  to = reinterpret_cast<Channels>(Words{} + *reinterpret_cast<const Word*>(from));
}

// body(0), body(1), … with constants: what is indexed by them stays in registers throughout.
template <int kCount, class Body>
inline void unrolled(Body&& body) {
  [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) { (body(std::integral_constant<int, kIndex>{}), ...); }(std::make_integer_sequence<int, kCount>{});
}
template <int kVectors, class Body>
inline void each_sum(Body&& body) {
  unrolled<kRows>([&](auto t) { unrolled<kVectors>([&](auto q) { body(t, q); }); });
}

// sums[t][q] += the kBlock terms x(t)·y(q): x at kRowStep for each t and kTermStep for each term, a vector of y at vector_step for each q and term_step for
// each term.
template <Sums kSums, int64_t kRowStep, int64_t kTermStep, int kVectors>
inline void add_block(Channels (&sums)[kRows][kVectors], const float* x, const float* y, int64_t vector_step, int64_t term_step) {
  const auto single = [&](int64_t term) {
    Channels y1[kVectors];
    unrolled<kVectors>([&](auto q) { load(y + q * vector_step + term * term_step, y1[q]); });
    unrolled<kRows>([&](auto t) {
      Channels x1;
      broadcast(x + t * kRowStep + term * kTermStep, x1);
      unrolled<kVectors>([&](auto q) { sums[t][q] += x1 * y1[q]; });
    });
  };
  if constexpr (kSums == Sums::single) {
    for (int64_t term = 0; term < kBlock; ++term) single(term);
  } else {
    // Single terms between the pairs: either alone would leave units without work.
    for (int64_t term = 0; term < kPairs * kPairStep; term += kPairStep) {
      Channels y1[kVectors], y2[kVectors];
      unrolled<kVectors>([&](auto q) {
        load(y + q * vector_step + term * term_step, y1[q]);
        load(y + q * vector_step + (term + 1) * term_step, y2[q]);
      });
      unrolled<kRows>([&](auto t) {
        Channels x1, x2;
        broadcast(x + t * kRowStep + term * kTermStep, x1);
        broadcast(x + t * kRowStep + (term + 1) * kTermStep, x2);
        unrolled<kVectors>([&](auto q) { sums[t][q] += (x1 + y2[q]) * (x2 + y1[q]); });
      });
      single(term + 2);
    }
    single(kBlock - 1);
  }
}

// What sums start from, which is subtracted once: −Σ x1·x2 over the pairs. Of kRows rows, over all channels.
inline void start_rows(const float* v, const Rows& of_v, float* starts) {
  using Unaligned = float __attribute__((vector_size(64), aligned(4), may_alias));
  Channels sums[kRows] = {};  // in lane l, channel l times the next
  for (int64_t block = 0; block < of_v.blocks; ++block, v += of_v.block())
    for (int64_t t = 0; t < kRows; ++t)
      sums[t] += *reinterpret_cast<const Channels*>(v + t * kBlock) * *reinterpret_cast<const Unaligned*>(v + t * kBlock + 1);
  for (int64_t t = 0; t < kRows; ++t) {
    starts[t] = 0;
    for (int pair = 0; pair < kPairs; ++pair) starts[t] -= sums[t][pair * kPairStep];
  }
}
// Of 16 columns, over so many terms, `step` numbers apart.
inline void start_columns(const float* y, int64_t terms, int64_t step, float* starts) {
  Channels sum = {};
  for (int64_t term = 0; term < terms; term += kBlock)
    for (int pair = 0; pair < kPairs; ++pair) {
      Channels y1, y2;
      load(y + (term + pair * kPairStep) * step, y1);
      load(y + (term + pair * kPairStep + 1) * step, y2);
      sum -= y1 * y2;
    }
  store(sum, starts);
}

// Of all channels of a slot, over its rows.
inline void start_channels(const float* slot, const Rows& rows, float* starts) {
  for (int64_t b = 0; b < rows.blocks; ++b) start_columns(slot + b * rows.block(), rows.rows, kBlock, starts + b * kBlock);
}

// The mean square of a few of so many blocks of 16 numbers in each of `pieces`, `step` numbers apart; of all, where those few are zeros. They lie evenly
// apart, in a step that neither planes nor channels divide.
template <class T>
inline double mean_square(const T* data, int64_t pieces, int64_t step, int64_t blocks) {
  using Doubles = double __attribute__((vector_size(128)));
  constexpr int64_t kFew = 761;
  const int64_t all = pieces * blocks;
  double sum = 0;
  for (const int64_t some : {std::min(all, kFew), all}) {
    Doubles sums = {};
    for (int64_t i = 0; i < some; ++i) {
      const int64_t block = part_of(all, i, some).begin;
      Channels channels;
      load(data + block / blocks * step + block % blocks * kBlock, channels);
      const Doubles exact = __builtin_convertvector(channels, Doubles);
      sums += exact * exact;
    }
    for (int64_t l = 0; l < kBlock; ++l) sum += sums[l];
    if (sum != 0) return sum / static_cast<double>(some * kBlock);
  }
  return sum;
}

// How sums of x and y are made, and the power of two by which x is multiplied on the way.
struct Balance {
  Sums sums = Sums::single;
  float scale = 1;
};
// In pairs, with x as large as y, from their mean squares: pairs add the one to the other, and what is small would lose its last digits. Of single terms where
// one of them is zero, and pairs would leave roundings, or beyond what f32 can square.
inline Balance balance(double square_of_x, double square_of_y) {
  constexpr double kLeast = 1e-24, kMost = 1e24;
  const auto fits = [](double square) { return square >= kLeast && square <= kMost; };
  if (!fits(square_of_x) || !fits(square_of_y)) return {};
  if (engine::mutated("channel_products.balance")) return {Sums::paired, 1};
  return {Sums::paired, std::ldexp(1.0F, static_cast<int>(std::lround(std::log2(square_of_y / square_of_x) / 2)))};
}

// kRows rows of M (rows × 16·kVectors, a block of 16 after the other) = V·U: V has all its channels, U (channels, 16·kVectors). Calls `meanwhile` for
// each block. Where sums are paired, those of v's rows and of u's columns are what they start from.
template <Sums kSums, int kVectors, class Meanwhile>
inline void multiply_rows(const float* v, const Rows& of_v, const float* u, const float* starts_of_v, const float* starts_of_u, float* m, Meanwhile&& meanwhile) {
  Channels sums[kRows][kVectors] = {};
  if constexpr (kSums == Sums::paired)
    each_sum<kVectors>([&](auto t, auto q) { sums[t][q] = starts_of_v[t] + *reinterpret_cast<const Channels*>(starts_of_u + q * kBlock); });
  for (int64_t block = 0; block < of_v.blocks; ++block, v += of_v.block(), u += kBlock * kVectors * kBlock) {
    meanwhile();
    add_block<kSums, kBlock, 1>(sums, v, u, kBlock, kVectors * kBlock);
  }
  each_sum<kVectors>([&](auto t, auto q) { store(sums[t][q], m + (q * of_v.rows + t) * kBlock); });
}

// du (C / 16·kVectors, K, 16·kVectors), of those channels of v that begin with block c: = or += Σ over rows, a multiple of kBlock, of
// d (rows, K)ᵀ·v (rows, C). Calls `meanwhile` for each kBlock rows of each kRows filters. Where sums are paired, those of v's and of d's channels
// are what they start from.
template <Sums kSums, int kVectors, class Meanwhile>
inline void add_outer_products(const float* v, const Rows& of_v, const float* d, const Rows& of_d, int64_t c, const float* starts_of_v, const float* starts_of_d,
                               bool add, float* du, Meanwhile&& meanwhile) {
  constexpr int64_t kTile = kRows * kVectors;  // vectors of du
  v += c * of_v.block();
  du += c * of_d.blocks * kBlock * kBlock;
  for (int64_t k = 0; k < of_d.blocks * kBlock; k += kRows, du += kTile * kBlock) {
    const float* from_d = d + k / kBlock * of_d.block() + k % kBlock;
    Channels sums[kRows][kVectors] = {};
    if (add)
      each_sum<kVectors>([&](auto i, auto q) {
        load(du + (i * kVectors + q) * kBlock, sums[i][q]);
        __builtin_prefetch(du + (kTile + i * kVectors + q) * kBlock);
      });
    if constexpr (kSums == Sums::paired)
      each_sum<kVectors>([&](auto i, auto q) { sums[i][q] += starts_of_d[k + i] + *reinterpret_cast<const Channels*>(starts_of_v + (c + q) * kBlock); });
    for (int64_t t = 0; t < of_v.rows; t += kBlock) {
      meanwhile();
      add_block<kSums, 1, kBlock>(sums, from_d + t * kBlock, v + t * kBlock, of_v.block(), kBlock);
    }
    each_sum<kVectors>([&](auto i, auto q) { store(sums[i][q], du + (i * kVectors + q) * kBlock); });
  }
}
}  // namespace autodidact::ops::channel_products
