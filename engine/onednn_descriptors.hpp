// engine/onednn_descriptors.hpp: our types in the library's terms. Internal to the adapter (engine/onednn*.cpp).
//
// With it, the only place that knows how oneDNN 2.x and 3.x differ.
#pragma once
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/onednn.hpp"

namespace autodidact::engine::onednn {

const dnnl::engine& cpu();
dnnl::memory::data_type data_type(DType type);
dnnl::memory::dims dims(const Shape& shape);
dnnl::memory::desc plain(const dnnl::memory::dims& dims, DType type);  // row-major
dnnl::memory::desc layout_of(const TensorType& type);

// Scratch memory is ours: the compiler places it in the arena.
dnnl::primitive_attr with_user_scratch();

// How the two major versions differ, as far as we meet it. 2.x describes an operation first, then asks for a
// primitive descriptor of it, and keeps pointing at the description (and the hint) while the implementations are walked;
// 3.x takes the same arguments in one step. `descriptor` is empty if nothing implements the operation.
using Hint = dnnl::convolution_forward::primitive_desc;
#if DNNL_VERSION_MAJOR >= 3
template <class Operation>
struct Description {
  typename Operation::primitive_desc descriptor;

  template <class... Arguments>
  explicit Description(std::nullptr_t, const Arguments&... arguments)
      : descriptor(cpu(), arguments..., with_user_scratch(), /*allow_empty=*/true) {}
  template <class... Arguments>
  explicit Description(const dnnl::primitive_attr& attributes, const Arguments&... arguments)
      : descriptor(cpu(), arguments..., attributes, /*allow_empty=*/true) {}
  template <class... Arguments>
  explicit Description(const Hint& hint, const Arguments&... arguments)
      : descriptor(cpu(), arguments..., hint, with_user_scratch(), /*allow_empty=*/true) {}
};
#else
template <class Operation>
struct Description {
  typename Operation::desc operation;
  typename Operation::primitive_desc descriptor;

  template <class... Arguments>
  explicit Description(std::nullptr_t, const Arguments&... arguments)
      : operation(arguments...),
        descriptor(operation, with_user_scratch(), cpu(), /*allow_empty=*/true) {}
  template <class... Arguments>
  explicit Description(const dnnl::primitive_attr& attributes, const Arguments&... arguments)
      : operation(arguments...),
        descriptor(operation, attributes, cpu(), /*allow_empty=*/true) {}
  template <class... Arguments>
  explicit Description(const Hint& hint, const Arguments&... arguments)
      : operation(arguments...),
        descriptor(operation, with_user_scratch(), cpu(), hint, /*allow_empty=*/true) {}
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;
};
#endif

inline void append_relu(dnnl::post_ops& behind) {
#if DNNL_VERSION_MAJOR >= 3
  behind.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
#else
  behind.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
#endif
}

// The kernel of `descriptor`, which will be given addresses in the order of `arguments` (DNNL_ARG_…).
Primitive make_primitive(const dnnl::primitive_desc_base& descriptor,
                         std::initializer_list<int> arguments);
Primitive make_reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);
}  // namespace autodidact::engine::onednn
