// ops/reference/pixels.hpp: the four loops over a tensor (N,C,H,W), written once.
#pragma once
#include "engine/shape.hpp"

namespace autodidact::ops::reference {

// f(n, c, h, w) for every element, in the order of memory.
template <class F>
void for_each_pixel(const engine::Shape& shape, F&& f) {
  for (std::int64_t n = 0; n < shape[0]; ++n)
    for (std::int64_t c = 0; c < shape[1]; ++c)
      for (std::int64_t h = 0; h < shape[2]; ++h)
        for (std::int64_t w = 0; w < shape[3]; ++w) f(n, c, h, w);
}
}  // namespace autodidact::ops::reference
