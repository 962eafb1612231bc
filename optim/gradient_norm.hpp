// optim/gradient_norm.hpp: the Euclidean norm of all gradients together: is this step fit to be taken?
//
// ‖g‖ = √(Σ g²) over every named parameter. It is NaN or infinite exactly if some gradient is (a square of f32 numbers can
// not overflow f64; of f64 numbers above 1e154 it can, and such a step is not fit either).
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/parameter_store.hpp"
#include "engine/threads.hpp"
#include "optim/parameter_chunks.hpp"

namespace autodidact::optim {

class GradientNorm {
 public:
  // `gradients`: Program::gradients(). Throws std::invalid_argument if the layout lacks a name.
  GradientNorm(const engine::ParameterLayout& layout, std::span<const std::string> gradients);

  // One sweep; f64 sums of chunks, added in the order of the layout: the same bits for any number of threads. Allocates nothing.
  double operator()(engine::Lane& lane, const engine::ParameterStore& store);

 private:
  std::vector<Chunk> chunks_;
  std::vector<double> squares_;  // one sum a chunk
};
}  // namespace autodidact::optim
