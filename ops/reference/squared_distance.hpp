// ops/reference/squared_distance.hpp: the formulas of ops/squared_distance.hpp, in f64, one loop each.
#pragma once
#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {

// s = Σ (a−b)²
inline void squared_distance_forward(const engine::View& a, const engine::View& b,
                                     const engine::View& s) {
  const bool wrong = engine::mutated("squared_distance.reference.s");  // halved, as some losses are
  double sum = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    const double difference = a(i) - b(i);
    sum += difference * difference;
  }
  s() = wrong ? sum / 2 : sum;
}

// da = 2·ds·(a−b)
inline void squared_distance_backward(const engine::View& a, const engine::View& b,
                                      const engine::View& ds, const engine::View& da) {
  const double sign = engine::mutated("squared_distance.reference.da") ? -1 : 1;
  for (std::int64_t i = 0; i < a.count(); ++i) da(i) = sign * 2 * ds() * (a(i) - b(i));
}
}  // namespace autodidact::ops::reference
