#include "ops/interpolation.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "ops/simd.hpp"

namespace autodidact::ops {
namespace {

// out (out_width,b) from in (in_width,b).
template <int kBlock, class T>
void expand(const AxisInterpolation& columns, const T* in, float* __restrict out,
            std::int64_t out_width, std::int64_t block) {
  const std::int64_t b = kBlock ? kBlock : block;
  const std::int32_t* low = columns.low.data();
  const std::int32_t* high = columns.high.data();
  const float* weight = columns.weight.data();
  if constexpr (kBlock == 1) {
    for (std::int64_t o = 0; o < out_width; ++o)
      out[o] = in[low[o]] + weight[o] * (in[high[o]] - in[low[o]]);
    return;
  }
  for (std::int64_t o = 0; o < out_width; ++o) {
    const T* left = in + low[o] * b;
    const T* right = in + high[o] * b;
#pragma GCC unroll 1
    for (std::int64_t c = 0; c < b; ++c)
      out[o * b + c] = left[c] + weight[o] * (right[c] - left[c]);
  }
}

// Taps are summed by fours, filled up with weights of 0: doubling the size needs four.
constexpr std::size_t kTaps = 4;
// Channels that are summed side by side.
constexpr std::int64_t kPart = 64;

// in (in_width,b) from out (out_width,b): the transpose of expand. Gathered, because scattering into single numbers (b = 1)
// would wait for every store.
template <int kBlock, class T>
void contract(const AxisInterpolation& columns, const float* out, T* __restrict in, std::int64_t in_width, std::int64_t block) {
  const std::int64_t b = kBlock ? kBlock : block;
  const std::int32_t* tap = columns.tap.data();
  const float* weight = columns.tap_weight.data();
  for (std::int64_t i = 0; i < in_width; ++i)
    for (std::int64_t first = 0; first < b; first += kPart) {
      const std::int64_t count = std::min(kPart, b - first);
      const float* rows = out + first;
      T* to = in + i * b + first;
      float part[kPart];
      float* sum = part;
      if constexpr (std::is_same_v<T, float>) sum = to;
#pragma GCC unroll 1
      for (std::int64_t c = 0; c < count; ++c) sum[c] = 0;
      for (std::int32_t k = columns.first[i]; k < columns.first[i + 1]; k += kTaps) {
        const float *row0 = rows + tap[k] * b, *row1 = rows + tap[k + 1] * b;
        const float *row2 = rows + tap[k + 2] * b, *row3 = rows + tap[k + 3] * b;
        const float w0 = weight[k], w1 = weight[k + 1], w2 = weight[k + 2], w3 = weight[k + 3];
#pragma GCC ivdep
#pragma GCC unroll 1
        for (std::int64_t c = 0; c < count; ++c) sum[c] += w0 * row0[c] + w1 * row1[c] + w2 * row2[c] + w3 * row3[c];
      }
      if constexpr (!std::is_same_v<T, float>)
        for (std::int64_t c = 0; c < count; ++c) to[c] = sum[c];
    }
}

template <class T>
AUTODIDACT_KERNEL void expand_row(const Interpolation& table, const T* in, float* out) {
  switch (table.block) {
    case 16:
      return expand<16>(table.columns, in, out, table.out_width, 16);
    case 8:
      return expand<8>(table.columns, in, out, table.out_width, 8);
    case 1:
      return expand<1>(table.columns, in, out, table.out_width, 1);
    default:
      return expand<0>(table.columns, in, out, table.out_width, table.block);
  }
}

template <class T>
AUTODIDACT_KERNEL void contract_row(const Interpolation& table, const float* out, T* in) {
  switch (table.block) {
    case 16:
      return contract<16>(table.columns, out, in, table.in_width, 16);
    case 8:
      return contract<8>(table.columns, out, in, table.in_width, 8);
    case 1:
      return contract<1>(table.columns, out, in, table.in_width, 1);
    default:
      return contract<0>(table.columns, out, in, table.in_width, table.block);
  }
}
}  // namespace

AxisInterpolation::AxisInterpolation(std::int64_t in_extent, std::int64_t out_extent) {
  const double scale = static_cast<double>(in_extent) / static_cast<double>(out_extent);
  std::vector<std::vector<std::pair<std::int32_t, float>>> taps(
      static_cast<std::size_t>(in_extent));
  for (std::int64_t o = 0; o < out_extent; ++o) {
    const double position = std::max(0.0, (static_cast<double>(o) + 0.5) * scale - 0.5);
    const auto below = std::min(static_cast<std::int64_t>(position), in_extent - 1);
    const bool at_end = below == in_extent - 1;
    const auto fraction = at_end ? 0.0F : static_cast<float>(position - static_cast<double>(below));
    low.push_back(static_cast<std::int32_t>(below));
    high.push_back(static_cast<std::int32_t>(at_end ? below : below + 1));
    weight.push_back(fraction);
    taps[low.back()].emplace_back(o, 1.0F - fraction);
    if (fraction > 0) taps[high.back()].emplace_back(o, fraction);
  }
  for (const auto& of_one : taps) {
    first.push_back(static_cast<std::int32_t>(tap.size()));
    for (const auto& [o, share] : of_one) {
      tap.push_back(o);
      tap_weight.push_back(share);
    }
    while (tap.size() % kTaps != 0) {
      tap.push_back(tap.back());
      tap_weight.push_back(0.0F);
    }
  }
  first.push_back(static_cast<std::int32_t>(tap.size()));
}

Interpolation::Interpolation(const engine::TensorType& in, const engine::TensorType& out)
    : planes(out.shape[0] * out.channel_blocks()),
      block(out.format.block),
      in_height(in.shape[2]),
      in_width(in.shape[3]),
      out_height(out.shape[2]),
      out_width(out.shape[3]),
      out_row(out_width * block),
      slot_elements(static_cast<std::int64_t>(
          engine::aligned(static_cast<std::size_t>(out_row) * sizeof(float)) / sizeof(float))),
      rows(in_height, out_height),
      columns(in_width, out_width) {}

template <class T>
const float* ExpandedRows<T>::expanded(std::int32_t row) {
  float* slot = buffer_ + (row & 1) * table_.slot_elements;
  if (held_[row & 1] != row)
    expand_row(table_, plane_ + row * table_.in_width * table_.block, slot);
  held_[row & 1] = row;
  return slot;
}

template <class T>
ContractedRows<T>::ContractedRows(const Interpolation& table, T* plane, float* buffer)
    : table_(table), plane_(plane), buffer_(buffer) {
  // Shrinking passes over some rows of the plane: they have no gradient, which is zero here.
  if (plane) std::fill(plane, plane + table.in_plane(), T(0.0F));
}

template <class T>
float* ContractedRows<T>::accumulator(std::int32_t row) {
  float* sum = slot(row);
  if (held_[row & 1] != row) {
    write_back(row & 1);
    held_[row & 1] = row;
    std::fill(sum, sum + table_.out_row, 0.0F);
  }
  return sum;
}

template <class T>
void ContractedRows<T>::write_back(int slot) {
  if (plane_ && held_[slot] >= 0)
    contract_row(table_, buffer_ + slot * table_.slot_elements,
                 plane_ + held_[slot] * table_.in_width * table_.block);
  held_[slot] = -1;
}

template <class T>
void ContractedRows<T>::finish() {
  write_back(0);
  write_back(1);
}

template class ExpandedRows<float>;
template class ExpandedRows<engine::Bf16>;
template class ContractedRows<float>;
template class ContractedRows<engine::Bf16>;
}  // namespace autodidact::ops
