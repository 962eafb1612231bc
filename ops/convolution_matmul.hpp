// ops/convolution_matmul.hpp: a convolution as one product of matrices, channels last.
//
// The P pixels of y (N,H',W',K) are the rows of a matrix Y (P,K). Where the kernel is 1×1 and the stride 1, those of x are X (P,C):
//
//     Y = X·Wᵀ        dX = dY·W        dW = dYᵀ·X, in f32 whatever X is                                    candidate "matmul"
//
// Otherwise the window of each pixel is written out as a row first ("im2col"), with zeros where it lies outside: U(x) (P, R·S·C)
//
//     Y = U(x)·Wᵀ     dW = dYᵀ·U(x)    dX = U'(dy)·W', stride 1 only: dx is a convolution of dy            candidate "im2col"
//                                      with the kernel turned by half a turn, padded by δ(R−1) − p
//
// The rows take R·S times the memory of x, so this is offered for small planes only. There it pays in bf16: the library's own
// convolutions are slow, most of all in dW.
#pragma once
#include <vector>

#include "engine/op.hpp"
#include "ops/convolution.hpp"

namespace autodidact::ops {

// The candidate of this pass where it fits the problem and channels last is among the query's blocks; else none.
std::vector<engine::Candidate> matmul_candidates(const engine::Query& query, const ConvolutionGeometry& geometry);
}  // namespace autodidact::ops
