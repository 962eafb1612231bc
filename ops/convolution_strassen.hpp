// ops/convolution_strassen.hpp: a 1×1 convolution as a product of matrices, with 7 products of halves where there are 8.
//
// Source    Strassen 1969, "Gaussian Elimination is not Optimal"; Winograd's variant with 15 additions: Higham 2002, "Accuracy and Stability of
//           Numerical Algorithms", §23.1.
//
// The P pixels of y are the rows of Y (P,K), those of x, with a stride every stride-th of every stride-th line, the rows of X (P,C): Y = X·Wᵀ, dX = dY·W,
// dW = dYᵀ·X. Of a product A·B = C, each in 2×2 blocks:
//
//     S1 = A21 + A22   S2 = S1 − A11   S3 = A11 − A21   S4 = A12 − S2        T1 = B12 − B11   T2 = B22 − T1   T3 = B22 − B12   T4 = T2 − B21
//     P1 = A11·B11     P2 = A12·B21    P3 = S4·B22      P4 = A22·T4          P5 = S1·T1       P6 = S2·T2      P7 = S3·T3
//     C11 = P1 + P2    C12 = P1 + P6 + P5 + P3          C21 = P1 + P6 + P7 − P4               C22 = P1 + P6 + P7 + P5
//
// Channels are halved as a whole; of pixels, each group of neighbours has two halves, so the sums are made and used in the cache: those of the next group, and
// what memory has to bring for them, between the products of this one. For dW all groups add to the same seven products, from which the gradient is made at
// the end. One level: an eighth of the products is spared, at about twice the rounding error. In f32 and blocks of 16 channels only.
//
// Each of the seven is summed term by term, or in pairs (ops/channel_products.hpp): two candidates. For pairs the left factor is multiplied by a power
// of two on the way, which makes it as large as the right one, and the result by its inverse.
#pragma once
#include <vector>

#include "engine/op.hpp"
#include "ops/convolution.hpp"

namespace autodidact::ops {

// The candidates of this pass where it fits the problem, the CPU and the query's blocks; else none.
std::vector<engine::Candidate> strassen_candidates(const engine::Query& query, const ConvolutionGeometry& geometry);
}  // namespace autodidact::ops
