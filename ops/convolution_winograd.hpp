// ops/convolution_winograd.hpp: a 3×3 convolution, padded by one, of stride 1 or 2, by Winograd's minimal filtering in blocks of 16 channels.
//
// For every tile of the result, with the schemes of ops/winograd.hpp along both axes, slot by slot s of the S² that they have:
//
//     V[s] = Bᵀ·d·B, a row of C numbers a tile       U[s'] = G·w·Gᵀ (C,K), s' the filter value of slot s
//     M[s] = V[s]·U[s']                              y = Aᵀ·M·A
//
//     dw = Gᵀ·[Σ over tiles and the slots of s'  (A·dy·Aᵀ)ᵀ·(Bᵀ·d·B)]·G
//
// dx is a convolution of dy: Dense or StridedBack. Tiles are taken in groups, small enough that V and M stay in the cache between the
// transforms and the products. Planes are read and written once, in f32 or bf16; all else is f32. The library's Winograd has stride 1, one group and f32 only.
//
// Products over channels, and those over tiles for dw, are summed term by term, or in pairs (ops/channel_products.hpp): two candidates. For pairs d,
// or dy for dw, is multiplied by a power of two on the way, which makes V as large as U, or A·dy·Aᵀ as large as V, on average.
//
// Groups of channels that fill blocks are convolutions of their own; narrower ones are put together (ops/block_diagonal.hpp). With stride 1, groups of 4
// channels then need as many products as their direct sums, groups of 16 a quarter.
#pragma once
#include <vector>

#include "engine/op.hpp"
#include "ops/convolution.hpp"

namespace autodidact::ops {

// The candidates of this pass where it fits the problem, the CPU and the query's blocks; else none.
std::vector<engine::Candidate> winograd_candidates(const engine::Query& query, const ConvolutionGeometry& geometry);
}  // namespace autodidact::ops
