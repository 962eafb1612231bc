// ops/convolution_methods.hpp: the ways in which the library computes one pass of a convolution, for every op that has one in
// it. A method is an algorithm, the formats that it reads and writes, and how its weights are made of ours.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/onednn.hpp"
#include "engine/op.hpp"
#include "ops/block_diagonal.hpp"
#include "ops/convolution.hpp"

namespace autodidact::ops {

struct ConvolutionMethod {
  std::string id;  // "direct", "winograd", "block_diagonal"
  engine::onednn::ConvolutionProblem problem;  // as the library sees it
  engine::onednn::ConvolutionAlgorithm algorithm;
  std::optional<BlockDiagonal> wide;  // the library sees wide groups
  engine::DType planes;               // in which x and y lie; where the library sees others, they are copied for it

  bool copies_planes() const { return planes != problem.x.dtype; }
  // `seen`, x or y of the problem, as it lies.
  engine::TensorType lying(engine::TensorType seen) const {
    seen.dtype = planes;
    return seen;
  }
  // As a Candidate's.
  double products() const;
  bool weights_as_they_are() const { return !wide && algorithm.weights_plain(); }
  std::string weights_key() const;
};

// Plain weights (OIHW) → the layout of a method. `room` holds room_bytes(). Make it in the lane that runs it.
class ConvolutionPacker {
 public:
  explicit ConvolutionPacker(const ConvolutionMethod& method) : pack_(method.algorithm.make_pack()), wide_(method.wide) {}
  std::size_t room_bytes() const { return wide_ ? wide_->bytes() : 0; }
  void operator()(engine::Lane& lane, const float* weights, void* blob, float* room) const;

 private:
  engine::onednn::Primitive pack_;
  std::optional<BlockDiagonal> wide_;
};

// What is computed behind the sum of a forward pass, in the library's words: see engine/onednn.hpp.
struct ConvolutionTail {
  bool bias = false, add_to_y = false, relu = false;
};

// For every block of the query, the likely best first.
std::vector<ConvolutionMethod> convolution_methods(const engine::Query& query, const ConvolutionGeometry& geometry,
                                                   const ConvolutionTail& tail = {});
}  // namespace autodidact::ops
