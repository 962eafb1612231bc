#include "engine/sum.hpp"

#include <stdexcept>

namespace autodidact::engine {
namespace {

template <class T>
void add_two(const T* a, const T* b, T* y, std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
}

template <class T>
Kernel make(int summands, std::int64_t elements) {
  return [=](Lane& lane, const Arguments& a) {
    lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
      add_two(a.read<T>(0), a.read<T>(1), a.write<T>(0), begin, end);
      for (int s = 2; s < summands; ++s)
        add_two<T>(a.write<T>(0), a.read<T>(s), a.write<T>(0), begin, end);
    });
  };
}
}  // namespace

Kernel sum_kernel(int summands, const TensorType& type) {
  if (type.dtype == DType::f64) return make<double>(summands, type.elements());
  if (type.dtype == DType::f32) return make<float>(summands, type.elements());
  throw std::invalid_argument("gradients of this number type cannot be added");
}
}  // namespace autodidact::engine
