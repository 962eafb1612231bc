// ops/upsample.hpp: bilinear resampling of every plane to a given size, larger or smaller.
//
// Source    PyTorch's interpolate(mode="bilinear", align_corners=False, antialias=False): pixels are squares, and sample points
//           are their centres ("half-pixel" rule). When shrinking, inputs between the sample points count for nothing.
// Symbols   x, dx : (N,C,h,w)     y, dy : (N,C,H,W)
//
// One axis, h inputs to H outputs. Output o lies at p = max(0, (o + ½)·h/H − ½) on the input's axis, between
//           i = ⌊p⌋ and i' = min(i + 1, h − 1), at the fraction λ = p − i from the first:
//           up(x)[o] = (1 − λ)·x[i] + λ·x[i']          the weights sum to 1, so a constant stays what it is
// Forward   y = up(x) along h, then along w (the order does not matter)
// Backward  dx = upᵀ(dy): every dy[o] is handed back by the weights with which y[o] was made, so ⟨up(x), dy⟩ = ⟨x, dx⟩
//
// Keeps nothing: upsampling is linear. Writes with "=". Requires height, width ≥ 1.
#pragma once
#include "engine/op.hpp"

namespace autodidact::ops {

class Upsample final : public engine::Op {
 public:
  // The size of the output in pixels. Throws std::invalid_argument if one is below 1.
  Upsample(std::int64_t height, std::int64_t width);

  std::string_view kind() const override { return "upsample"; }
  std::string describe() const override;  // "upsample 32x32"
  std::vector<engine::Port> inputs() const override { return {{"x"}}; }
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;

  const std::int64_t height, width;
};
}  // namespace autodidact::ops
