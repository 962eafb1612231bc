#include "ops/convolution_methods.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/mutation.hpp"

namespace autodidact::ops {
using engine::mutated, engine::Pass, engine::Query, engine::Shape;
namespace onednn = engine::onednn;

std::string ConvolutionMethod::weights_key() const {
  return wide ? fmt::format("{} groups, {}", wide->groups, algorithm.weights_key()) : algorithm.weights_key();
}

// For each pixel of y those taps that lie on x: kernels leave out the padding.
double ConvolutionMethod::products() const {
  if (id == "winograd" || problem.x.dtype != engine::DType::f32) return 0;
  const auto taps = [&](int axis, std::int64_t stride, std::int64_t pad, std::int64_t dilation) {
    std::int64_t on_x = 0;
    for (std::int64_t pixel = 0; pixel < problem.y.shape[axis]; ++pixel)
      for (std::int64_t tap = 0; tap < problem.weights[axis]; ++tap) {
        const std::int64_t at = pixel * stride + tap * dilation - pad;
        on_x += at >= 0 && at < problem.x.shape[axis];
      }
    return static_cast<double>(on_x);
  };
  return static_cast<double>(problem.y.shape[0] * problem.y.shape[1] * problem.weights[1]) * taps(2, problem.stride_h, problem.pad_h, problem.dilation_h) *
         taps(3, problem.stride_w, problem.pad_w, problem.dilation_w);
}

void ConvolutionPacker::operator()(engine::Lane& lane, const float* weights, void* blob, float* room) const {
  if (wide_) wide_->spread(lane, weights, room);
  pack_.execute({wide_ ? room : weights, blob});
}

namespace {

onednn::ConvolutionProblem make_problem(const ConvolutionGeometry& g, const Query& query, const ConvolutionTail& tail) {
  onednn::ConvolutionProblem problem{{},           {},           query.inputs[1], g.groups,
                                     g.stride_h,   g.stride_w,   g.pad_h,         g.pad_w,
                                     g.dilation_h, g.dilation_w, tail.bias,       tail.add_to_y, tail.relu};
  // The mutants lose one row or column of the padding before the picture; the adapter adds it behind.
  const auto lost = [](std::int64_t pad) { return std::max<std::int64_t>(0, pad - 1); };
  if (query.pass == Pass::forward && mutated("convolution.fast.y")) problem.pad_w = lost(g.pad_w);
  if (query.pass == Pass::backward_data && mutated("convolution.fast.dx"))
    problem.pad_h = lost(g.pad_h);
  if (query.pass == Pass::backward_weights && mutated("convolution.fast.dw"))
    problem.pad_w = lost(g.pad_w);
  return problem;
}

// Where F(4×4,3×3) exists and its blocks are not mostly padding. It computes in f32; planes in bf16 are copied, which a tail that reads y
// does not know of.
bool winograd_fits(const onednn::ConvolutionProblem& p) {
  if (p.x.dtype != engine::DType::f32 && (p.bias || p.add_to_y || p.relu)) return false;
  return p.y.format.block == 16 && p.x.format.block == 16 && p.x.shape[1] >= 16 &&
         p.y.shape[1] >= 16 && p.groups == 1 && p.weights[2] == 3 && p.weights[3] == 3 &&
         p.stride_h == 1 && p.stride_w == 1 && p.dilation_h == 1 && p.dilation_w == 1;
}

// Measured: with fewer channels its transforms cost what its products save. Only the order of the offer follows from this.
bool winograd_pays(const onednn::ConvolutionProblem& p) {
  return p.x.dtype == engine::DType::f32 && std::min(p.x.shape[1], p.y.shape[1]) >= 32;
}
}  // namespace

std::vector<ConvolutionMethod> convolution_methods(const Query& query, const ConvolutionGeometry& geometry,
                                                   const ConvolutionTail& tail) {
  onednn::ConvolutionProblem problem = make_problem(geometry, query, tail);
  const Shape &x = query.inputs[0], &y = query.outputs[0];
  std::vector<ConvolutionMethod> methods;
  const auto offer = [&](std::int64_t x_block, std::int64_t y_block) {
    problem.x = query.type(x, x_block);
    problem.y = query.type(y, y_block);
    const bool first = winograd_pays(problem);
    for (const bool winograd : {first, !first}) {
      if (winograd && (query.only_direct || !winograd_fits(problem))) continue;
      onednn::ConvolutionProblem seen = problem;
      if (winograd) seen.x.dtype = seen.y.dtype = engine::DType::f32;
      for (const onednn::ConvolutionAlgorithm& algorithm : onednn::convolution_algorithms(query.pass, query.mode, seen, winograd)) {
        // Plain loops only where the library has nothing for plain tensors either: another block, with a reorder, is better.
        if (algorithm.reference() && y_block != 1) continue;
        methods.push_back({winograd ? "winograd" : "direct", seen, algorithm, {}, problem.x.dtype});
      }
    }
  };
  const auto offer_wide_groups = [&](std::int64_t block) {
    const auto wide = BlockDiagonal::fill(geometry.groups, query.inputs[1], block);
    if (!wide || query.only_direct) return;
    onednn::ConvolutionProblem wider = problem;
    wider.groups = wide->groups;
    wider.weights = wide->wide;
    wider.x = query.type(x, block);
    wider.y = query.type(y, block);
    for (const onednn::ConvolutionAlgorithm& algorithm :
         onednn::convolution_algorithms(query.pass, query.mode, wider, false))
      if (!algorithm.reference()) methods.push_back({"block_diagonal", wider, algorithm, wide, wider.x.dtype});
  };
  for (const std::int64_t block : query.blocks) {
    // An image of few channels would be mostly padding in blocks: the library has kernels that read it plain.
    if (x[1] < block) offer(1, block);
    if (geometry.groups > 1 && block > 1 && block != Query::kChannelsLast) offer_wide_groups(block);
    offer(block, block);
  }
  return methods;
}
}  // namespace autodidact::ops
