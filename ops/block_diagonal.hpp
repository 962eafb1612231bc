// ops/block_diagonal.hpp: grouped convolution with few channels a group, seen as one with fewer and wider groups.
//
// Neighbouring groups are put together until their channels fill a vector register. A filter of the wide group sees all of its
// channels, and has zeros where the narrow group had nothing to see: the same sum, with terms that are exactly 0.
//
//            narrow, 4 groups of 2          wide, 1 group of 8
//            w[k] = (a b)                   w[k] = (a b 0 0 0 0 0 0)   for the k of the first group, (0 0 a b 0 0 0 0) of the second …
//
// Kernels for full registers, the library's and our Winograd, then do m times the products at far more than m times the speed. The gradient of the
// zeros is computed too, and dropped.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/shape.hpp"
#include "engine/threads.hpp"

namespace autodidact::ops {

struct BlockDiagonal {
  std::int64_t groups = 1;  // wide ones
  std::int64_t merged = 1;  // narrow groups in a wide one
  engine::Shape narrow;     // (K,C/G,R,S)
  engine::Shape wide;       // (K,merged·C/G,R,S)

  // Wide groups of `block` channels, in and out; empty where the narrow ones do not fill them evenly, or fill them
  // already, and for depthwise convolutions.
  static std::optional<BlockDiagonal> fill(std::int64_t groups, const engine::Shape& weights, std::int64_t block);

  std::size_t bytes() const { return static_cast<std::size_t>(wide.count()) * sizeof(float); }  // of wide weights
  void spread(engine::Lane& lane, const float* w, float* wide_w) const;
  void gather(engine::Lane& lane, const float* wide_w, float* w) const;

 private:
  // Calls visit(narrow index, wide index) for every run of R·S weights that is not zero, of filters [begin, end).
  template <class Visit>
  void each_run(std::int64_t begin, std::int64_t end, Visit visit) const;
};
}  // namespace autodidact::ops
