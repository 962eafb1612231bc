// ops/reference/add.hpp: the equations of ops/add.hpp.
#pragma once
#include "engine/mutation.hpp"
#include "engine/op.hpp"

namespace autodidact::ops::reference {
using engine::View;

inline void add_forward(const View& a, const View& b, const View& y) {
  const double sign = engine::mutated("add.reference.y") ? -1 : 1;  // subtracts
  for (std::int64_t i = 0; i < y.count(); ++i) y(i) = a(i) + sign * b(i);
}

// da or db may be unwanted.
inline void add_backward(const View& dy, const View& da, const View& db) {
  const double factor_a = engine::mutated("add.reference.da") ? 0.5 : 1;  // a share instead of all
  const double factor_b = engine::mutated("add.reference.db") ? 0.5 : 1;  // likewise
  for (std::int64_t i = 0; da && i < dy.count(); ++i) da(i) = factor_a * dy(i);
  for (std::int64_t i = 0; db && i < dy.count(); ++i) db(i) = factor_b * dy(i);
}
}  // namespace autodidact::ops::reference
