// ops/convolution.hpp: each output pixel is a weighted sum over a window of input pixels, the same weights everywhere.
//
// Source    LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition", §II.A.
//           (As everywhere in deep learning it is a cross-correlation: the kernel is not flipped.) Groups: Krizhevsky
//           et al. 2012. Depthwise (G = C): Sifre 2014. Dilation: Yu & Koltun 2016, arXiv:1511.07122.
// Symbols   x, dx : (N,C,H,W)     w, dw : (K,C/G,R,S)     y, dy : (N,K,H',W')
//           s stride, p padding with zeros on each side, δ dilation (1 = dense), each for rows and columns;
//           H' = ⌊(H + 2p − δ(R−1) − 1)/s⌋ + 1, W' likewise. G groups: output channel k sees the C/G input channels
//           c = g·C/G + i of its own group g = ⌊k / (K/G)⌋ only. No bias: batch norm follows.
//
// Forward   y[n,k,h,v]  = Σ_i,r,q  w[k,i,r,q] · x[n, c, h·s + r·δ − p, v·s + q·δ − p]        (x = 0 outside)
// Backward  dx[n,c,a,b] = Σ_k,r,q  w[k,i,r,q] · dy[n,k,h,v]   over all (h,v) with h·s + r·δ − p = a, v·s + q·δ − p = b
//           dw[k,i,r,q] = Σ_n,h,v  dy[n,k,h,v] · x[n, c, h·s + r·δ − p, v·s + q·δ − p]
//           The three are one sum over the same products, collected by y, by x or by w.
//
// Keeps     nothing: backward reads x and w again. Two backward tasks, one each for dx and dw. Writes with "=".
// Fast      oneDNN: direct and, for 3×3 with stride 1 in blocks of 16, Winograd F(4×4,3×3) (Lavin & Gray 2016,
//           arXiv:1509.09308: 36 products instead of 144 for a 4×4 tile, at about 10 times the rounding error;
//           in f32, so planes in bf16 are copied for it). Our own Winograd, for stride 2 and for groups too: ops/convolution_winograd.hpp. Groups of few
//           channels also as fewer, wider ones: ops/block_diagonal.hpp. 1×1, and small planes, also as a product of matrices: ops/convolution_matmul.hpp,
//           1×1 with an eighth fewer products: ops/convolution_strassen.hpp.
// Requires  G divides C and K; the window, dilated, fits into the padded input.
#pragma once
#include <string>
#include <vector>

#include "engine/op.hpp"

namespace autodidact::ops {

struct ConvolutionGeometry {
  std::int64_t groups = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
};

// Inputs x, w. Output y.
class Convolution final : public engine::Op {
 public:
  // Throws std::invalid_argument for groups, strides or dilations < 1 and paddings < 0.
  explicit Convolution(ConvolutionGeometry geometry);

  std::string_view kind() const override { return "convolution"; }
  std::string describe() const override;
  std::vector<engine::Port> inputs() const override;
  std::vector<engine::Shape> infer(std::string_view node,
                                   std::span<const engine::Shape> inputs) const override;
  std::vector<engine::BackwardTask> backward() const override;
  void reference(engine::Pass pass, const engine::ReferenceArguments& arguments) const override;
  bool needs_every_format() const override { return true; }
  std::vector<engine::Candidate> candidates(const engine::Query& query) const override;

  const ConvolutionGeometry geometry;
};
}  // namespace autodidact::ops
