// ops/kernels.hpp: which kernels these are.
#pragma once

namespace autodidact::ops {

// A hash of their sources and of how they were compiled, 12 hexadecimal digits: what was measured under another hash says nothing of these.
const char* hash_of_kernels();
}  // namespace autodidact::ops
