// engine/sum.hpp: adds the k gradients of a value that is used k times, in fixed order.
#pragma once
#include "engine/op.hpp"

namespace autodidact::engine {

// Reads `summands` tensors of `type`, writes their sum; the result may lie on the first of them.
Kernel sum_kernel(int summands, const TensorType& type);
}  // namespace autodidact::engine
