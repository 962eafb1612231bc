#include "engine/onednn.hpp"

#include <stdexcept>

#include "engine/onednn_descriptors.hpp"

namespace autodidact::engine::onednn {
using dnnl::memory;
using dnnl::primitive_desc_base;
using dnnl::query;

// ---- what the library is -------------------------------------------------------------------------------------------

std::string version() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

std::string threading() {
  switch (dnnl_version()->cpu_runtime) {
    case DNNL_RUNTIME_OMP:
      return "OpenMP";
    case DNNL_RUNTIME_TBB:
      return "TBB";
    case DNNL_RUNTIME_SEQ:
      return "sequential";
    default:
      return "unknown";
  }
}

std::string isa() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "SSE41";
    case dnnl_cpu_isa_avx:
      return "AVX";
    case dnnl_cpu_isa_avx2:
      return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
      return "AVX2_VNNI";
    case dnnl_cpu_isa_avx512_core:
      return "AVX512_CORE";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "AVX512_CORE_VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "AVX512_CORE_BF16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "AVX512_CORE_AMX";
    default:
      return has_avx512() ? "AVX512_CORE or newer" : "other";
  }
}

bool has_avx512() {
  // The values are sets of features: a newer set contains the older.
  return (static_cast<unsigned>(dnnl_get_effective_cpu_isa()) & dnnl_cpu_isa_avx512_core) ==
         dnnl_cpu_isa_avx512_core;
}

bool has_bf16() {
  static const bool answer = [] {
    constexpr std::int64_t kChannels = 16;
    const TensorType planes{{1, kChannels, 4, 4}, DType::bf16, {kChannels}};
    const ConvolutionProblem problem{planes, planes, {kChannels, kChannels, 1, 1}};
    for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights})
      if (convolution_algorithms(pass, Mode::train, problem, false).empty()) return false;
    return true;
  }();
  return answer;
}

std::int64_t preferred_block() { return has_avx512() ? 16 : 8; }

// ---- our types in its terms ----------------------------------------------------------------------------------------

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr with_user_scratch() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

memory::data_type data_type(DType type) {
  switch (type) {
    case DType::f32:
      return memory::data_type::f32;
    case DType::bf16:
      return memory::data_type::bf16;
    case DType::s32:
      return memory::data_type::s32;
    case DType::u8:
      return memory::data_type::u8;
    case DType::f64:
      break;
  }
  throw std::logic_error("oneDNN has no type " + std::string(name_of(type)));
}

namespace {
memory::dims row_major_strides(const memory::dims& dims) {
  memory::dims strides(dims.size(), 1);
  for (std::size_t axis = dims.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}
}  // namespace

memory::dims dims(const Shape& shape) {
  memory::dims dims;
  for (int axis = 0; axis < shape.rank(); ++axis) dims.push_back(shape[axis]);
  return dims;
}

memory::desc plain(const memory::dims& dims, DType type) {
  return {dims, data_type(type), row_major_strides(dims)};
}

memory::desc layout_of(const TensorType& type) {
  if (type.shape.rank() != 4 || type.format.block == 1) return plain(dims(type.shape), type.dtype);
  // Planes of one pixel, plain or channels last, are the same memory, and the library's cache of primitives takes one for the other: then a
  // primitive can come out that is not the one that was described, with another layout of weights. So they have one layout.
  const bool channels_last = type.format.block != 8 && type.format.block != 16;
  if (channels_last && type.shape[2] * type.shape[3] == 1) return plain(dims(type.shape), type.dtype);
  using tag = memory::format_tag;
  const tag format = type.format.block == 16  ? tag::nChw16c
                     : type.format.block == 8 ? tag::nChw8c
                                              : tag::nhwc;
  return {dims(type.shape), data_type(type.dtype), format};
}

// ---- primitives ----------------------------------------------------------------------------------------------------

struct Primitive::Implementation {
  dnnl::primitive primitive;
  dnnl::stream stream{cpu()};
  std::vector<memory> memories;            // kept alive for the argument list
  std::vector<dnnl_exec_arg_t> arguments;  // the scratchpad, if any, is the last
  std::vector<const void*> addresses;      // that the memories have now
  std::size_t scratch_bytes = 0;

  // Setting an address is not free: 2.x clears the padded channels of the tensor then.
  void bind(std::size_t argument, const void* address) {
    if (addresses[argument] == address) return;
    memories[argument].set_data_handle(const_cast<void*>(address));
    addresses[argument] = address;
  }
};

Primitive::Primitive(std::shared_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

std::size_t Primitive::scratch_bytes() const { return implementation_->scratch_bytes; }

void Primitive::execute(std::initializer_list<const void*> addresses, void* scratch) const {
  Implementation& it = *implementation_;
  std::size_t argument = 0;
  for (const void* address : addresses) it.bind(argument++, address);
  if (it.scratch_bytes > 0) it.bind(argument, scratch);
  const dnnl_status_t status =
      dnnl_primitive_execute(it.primitive.get(), it.stream.get(),
                             static_cast<int>(it.arguments.size()), it.arguments.data());
  if (status != dnnl_success)
    throw std::runtime_error("oneDNN could not run a primitive: status " + std::to_string(status));
}

Primitive make_primitive(const primitive_desc_base& descriptor,
                         std::initializer_list<int> arguments) {
  auto made = std::make_shared<Primitive::Implementation>();
  made->primitive = dnnl::primitive(descriptor.get());
  const auto add = [&](int argument, const memory::desc& layout) {
    made->memories.emplace_back(layout, cpu(), nullptr);
    made->arguments.push_back({argument, made->memories.back().get()});
    made->addresses.push_back(nullptr);
  };
  for (int argument : arguments) add(argument, descriptor.query_md(query::exec_arg_md, argument));
  const memory::desc scratchpad = descriptor.query_md(query::scratchpad_md);
  made->scratch_bytes = scratchpad.get_size();
  if (made->scratch_bytes > 0) add(DNNL_ARG_SCRATCHPAD, scratchpad);
  return Primitive(std::move(made));
}

Primitive make_reorder(const memory::desc& from, const memory::desc& to) {
  return make_primitive(dnnl::reorder::primitive_desc(cpu(), from, cpu(), to),
                        {DNNL_ARG_FROM, DNNL_ARG_TO});
}

Primitive make_reorder(const TensorType& from, const TensorType& to) {
  return make_reorder(layout_of(from), layout_of(to));
}

Matmul make_matmul(const MatmulProblem& problem) {
  const auto matrix = [](std::int64_t rows, std::int64_t columns, bool transposed, DType type) {
    return memory::desc({rows, columns}, data_type(type), transposed ? memory::dims{1, rows} : memory::dims{columns, 1});
  };
  const memory::desc a = matrix(problem.m, problem.k, problem.transpose_a, problem.factors);
  const memory::desc b = matrix(problem.k, problem.n, problem.transpose_b, problem.factors);
  const memory::desc c = matrix(problem.m, problem.n, false, problem.result);
  if (!problem.bias) {
    const Description<dnnl::matmul> product(nullptr, a, b, c);
    return {product.descriptor.impl_info_str(),
            make_primitive(product.descriptor, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST})};
  }
  const Description<dnnl::matmul> product(nullptr, a, b, matrix(1, problem.n, false, DType::f32), c);
  return {product.descriptor.impl_info_str(),
          make_primitive(product.descriptor,
                         {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST})};
}
}  // namespace autodidact::engine::onednn
