#include "engine/sum.hpp"

#include <algorithm>
#include <stdexcept>

#include "engine/bf16.hpp"
#include "engine/simd.hpp"

namespace autodidact::engine {
namespace {

// Sums of bf16 are made in f32, and rounded once.
template <class T>
struct Wide {
  using type = T;
};
template <>
struct Wide<Bf16> {
  using type = float;
};

// to[i] = a[i] + b[i]: `to` may lie on either.
template <class A, class B, class T>
AUTODIDACT_KERNEL void add_two(const A* a, const B* b, T* to, std::int64_t count) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) to[i] = T(static_cast<typename Wide<T>::type>(a[i]) + static_cast<typename Wide<T>::type>(b[i]));
}

// Numbers whose sum is held in the first cache while the summands are added to it, one after the other.
constexpr std::int64_t kPart = 1024;

template <class T>
Kernel make(int summands, std::int64_t elements) {
  return [=](Lane& lane, const Arguments& a) {
    lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
      typename Wide<T>::type sums[kPart];
      for (std::int64_t from = begin; from < end; from += kPart) {
        const std::int64_t count = std::min(kPart, end - from);
        T* to = a.write<T>(0) + from;
        if (summands == 2) {
          add_two(a.read<T>(0) + from, a.read<T>(1) + from, to, count);
          continue;
        }
        add_two(a.read<T>(0) + from, a.read<T>(1) + from, sums, count);
        for (int s = 2; s + 1 < summands; ++s) add_two(sums, a.read<T>(s) + from, sums, count);
        add_two(sums, a.read<T>(summands - 1) + from, to, count);
      }
    });
  };
}
}  // namespace

Kernel sum_kernel(int summands, const TensorType& type) {
  if (type.dtype == DType::f64) return make<double>(summands, type.elements());
  if (type.dtype == DType::f32) return make<float>(summands, type.elements());
  if (type.dtype == DType::bf16) return make<Bf16>(summands, type.elements());
  throw std::invalid_argument("gradients of this number type cannot be added");
}
}  // namespace autodidact::engine
