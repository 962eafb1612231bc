// ops/interpolation.hpp: bilinear resampling of planes in any channel block, a row at a time.
//
// The rule along one axis is in ops/upsample.hpp; here it is tabulated, once, when tasks are emitted. Resampling is separable:
// a row of the input is first stretched along its columns (once: it is held while output rows need it), then two neighbouring
// rows are mixed. The mixing is left to the caller's own loop over contiguous numbers, which is the same loop for every
// channel block; so a resampled tensor need never be written to memory (ops/attention_gate.hpp).
//
// A plane is (H,W,b) contiguous numbers, f32 or bf16: one sample's channel block. What is stretched or summed up is f32, in buffers
// that are the caller's, one a thread.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/shape.hpp"

namespace autodidact::ops {

// out[o] = in[low[o]] + weight[o]·(in[high[o]] − in[low[o]]); weight is 0 where low = high, else high = low + 1.
// Its adjoint, gathered: in[i] = Σ tap_weight[k]·out[tap[k]] over first[i] ≤ k < first[i+1].
struct AxisInterpolation {
  AxisInterpolation(std::int64_t in_extent, std::int64_t out_extent);
  std::vector<std::int32_t> low, high;
  std::vector<float> weight;
  std::vector<std::int32_t> first, tap;
  std::vector<float> tap_weight;
};

// From `in` to `out`, both (N,C,·,·) with equal N, C and channel block b.
struct Interpolation {
  Interpolation(const engine::TensorType& in, const engine::TensorType& out);
  std::int64_t in_plane() const { return in_height * in_width * block; }
  std::int64_t out_plane() const { return out_height * out_row; }
  std::int64_t buffer_elements() const { return 2 * slot_elements; }

  std::int64_t planes;  // N·⌈C/b⌉
  std::int64_t block, in_height, in_width, out_height, out_width;
  std::int64_t out_row;        // out_width·b
  std::int64_t slot_elements;  // out_row in whole cache lines
  AxisInterpolation rows, columns;
};

struct ExpandedRow {
  const float *low, *high;
  float weight;
};
struct ContractedRow {
  float *low, *high;  // never the same address, so the caller's loop may be vectorised
  float weight;
};

// Output row h of one plane is low + weight·(high − low), out_row elements. Ask with h going up.
template <class T>
class ExpandedRows {
 public:
  using Row = ExpandedRow;
  ExpandedRows(const Interpolation& table, const T* plane, float* buffer)
      : table_(table), plane_(plane), buffer_(buffer) {}
  Row operator[](std::int64_t h) {
    const AxisInterpolation& rows = table_.rows;
    return {expanded(rows.low[h]), expanded(rows.high[h]), rows.weight[h]};
  }

 private:
  const float* expanded(std::int32_t row);

  const Interpolation& table_;
  const T* plane_;
  float* buffer_;
  std::int32_t held_[2] = {-1, -1};  // which row of the plane each of the two slots holds
};

// The adjoint for one plane: for every h, going up, the caller adds (1 − weight)·t to `low` and weight·t to `high`, where t
// is the gradient of output row h; then finish(). After that every element of the plane has been written with "=". A null plane:
// the sums are not wanted.
template <class T>
class ContractedRows {
 public:
  using Row = ContractedRow;
  ContractedRows(const Interpolation& table, T* plane, float* buffer);
  Row operator[](std::int64_t h) {
    const AxisInterpolation& rows = table_.rows;
    const std::int32_t low = rows.low[h], high = rows.high[h];
    // Where the weight is 0 at the border, 0·t goes to the other slot, whatever it holds.
    return {accumulator(low), high == low ? slot(low + 1) : accumulator(high), rows.weight[h]};
  }
  void finish();

 private:
  float* slot(std::int32_t row) const { return buffer_ + (row & 1) * table_.slot_elements; }
  float* accumulator(std::int32_t row);
  void write_back(int slot);

  const Interpolation& table_;
  T* plane_;
  float* buffer_;
  std::int32_t held_[2] = {-1, -1};
};
}  // namespace autodidact::ops
