#include "ops/block_diagonal.hpp"

#include <algorithm>

#include "engine/mutation.hpp"

namespace autodidact::ops {

std::optional<BlockDiagonal> BlockDiagonal::fill(std::int64_t groups, const engine::Shape& weights, std::int64_t block) {
  const std::int64_t in = weights[1], out = weights[0] / groups;  // channels of a narrow group
  if (in == 1 || in >= block || block % in != 0) return {};  // depthwise has kernels of its own
  const std::int64_t merged = block / in;
  if (groups % merged != 0 || (out * merged) % block != 0) return {};
  return BlockDiagonal{groups / merged, merged, weights, {weights[0], block, weights[2], weights[3]}};
}

template <class Visit>
void BlockDiagonal::each_run(std::int64_t begin, std::int64_t end, Visit visit) const {
  const std::int64_t in = narrow[1], out = narrow[0] / (groups * merged), run = narrow[2] * narrow[3];
  const bool misplaced = engine::mutated("convolution.fast.block_diagonal");
  for (std::int64_t k = begin; k < end; ++k) {
    const std::int64_t position = misplaced ? 0 : k / out % merged;
    for (std::int64_t i = 0; i < in; ++i) visit((k * in + i) * run, (k * wide[1] + position * in + i) * run);
  }
}

void BlockDiagonal::spread(engine::Lane& lane, const float* w, float* wide_w) const {
  const std::int64_t filter = wide.count() / wide[0];
  lane.parallel(wide[0], [&](std::int64_t begin, std::int64_t end, int) {
    std::fill(wide_w + begin * filter, wide_w + end * filter, 0.0F);
    each_run(begin, end, [&](std::int64_t from, std::int64_t to) { std::copy_n(w + from, narrow[2] * narrow[3], wide_w + to); });
  });
}

void BlockDiagonal::gather(engine::Lane& lane, const float* wide_w, float* w) const {
  lane.parallel(narrow[0], [&](std::int64_t begin, std::int64_t end, int) {
    each_run(begin, end, [&](std::int64_t to, std::int64_t from) { std::copy_n(wide_w + from, narrow[2] * narrow[3], w + to); });
  });
}
}  // namespace autodidact::ops
