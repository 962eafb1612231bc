// engine/sum.hpp: adds the k gradients of a value that is used k times, in fixed order.
#pragma once
#include "engine/op.hpp"

namespace autodidact::engine {

// Reads `summands` ≥ 2 tensors of `type` (f64, f32 or bf16), writes their sum; the result may lie on the first of them. Throws
// std::invalid_argument for other types.
Kernel sum_kernel(int summands, const TensorType& type);
}  // namespace autodidact::engine
