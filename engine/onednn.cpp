#include "engine/onednn.hpp"

#include <algorithm>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <stdexcept>

namespace autodidact::engine::onednn {
namespace {

using dnnl::memory;
using dnnl::primitive_desc_base;
using dnnl::query;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// Scratch memory is ours: the compiler places it in the arena.
dnnl::primitive_attr with_user_scratch() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

// The only difference between the two major versions that we meet. 2.x describes an operation first, then asks for a
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
  explicit Description(const Hint& hint, const Arguments&... arguments)
      : operation(arguments...),
        descriptor(operation, with_user_scratch(), cpu(), hint, /*allow_empty=*/true) {}
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;
};
#endif

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

memory::dims dims(const Shape& shape) {
  memory::dims dims;
  for (int axis = 0; axis < shape.rank(); ++axis) dims.push_back(shape[axis]);
  return dims;
}

memory::dims row_major_strides(const memory::dims& dims) {
  memory::dims strides(dims.size(), 1);
  for (std::size_t axis = dims.size() - 1; axis > 0; --axis)
    strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}

memory::desc plain(const memory::dims& dims, DType type) {
  return {dims, data_type(type), row_major_strides(dims)};
}

memory::desc layout_of(const TensorType& type) {
  if (type.shape.rank() != 4 || type.format.block == 1) return plain(dims(type.shape), type.dtype);
  using tag = memory::format_tag;
  const tag format = type.format.block == 16  ? tag::nChw16c
                     : type.format.block == 8 ? tag::nChw8c
                                              : tag::nhwc;
  return {dims(type.shape), data_type(type.dtype), format};
}

// A name for each distinct weight layout. The library can compare layouts but not print them.
std::string key_of(const memory::desc& layout) {
  static std::mutex mutex;
  static std::vector<memory::desc> known;
  const std::lock_guard lock(mutex);
  auto found = std::find(known.begin(), known.end(), layout);
  if (found == known.end()) found = known.insert(found, layout);
  return "onednn layout " + std::to_string(found - known.begin());
}
}  // namespace

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

std::int64_t preferred_block() { return has_avx512() ? 16 : 8; }

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

namespace {
std::shared_ptr<Primitive::Implementation> compile(const primitive_desc_base& descriptor,
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
  return made;
}

Primitive reorder(const memory::desc& from, const memory::desc& to) {
  const dnnl::reorder::primitive_desc descriptor(cpu(), from, cpu(), to);
  return Primitive(compile(descriptor, {DNNL_ARG_FROM, DNNL_ARG_TO}));
}
}  // namespace

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

Primitive make_reorder(const TensorType& from, const TensorType& to) {
  return reorder(layout_of(from), layout_of(to));
}

Matmul make_matmul(const MatmulProblem& problem) {
  const auto matrix = [](std::int64_t rows, std::int64_t columns, bool transposed) {
    return memory::desc({rows, columns}, memory::data_type::f32,
                        transposed ? memory::dims{1, rows} : memory::dims{columns, 1});
  };
  const memory::desc a = matrix(problem.m, problem.k, problem.transpose_a);
  const memory::desc b = matrix(problem.k, problem.n, problem.transpose_b);
  const memory::desc c = matrix(problem.m, problem.n, false);
  if (!problem.bias) {
    const Description<dnnl::matmul> product(nullptr, a, b, c);
    return {product.descriptor.impl_info_str(),
            Primitive(compile(product.descriptor, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}))};
  }
  const Description<dnnl::matmul> product(nullptr, a, b, matrix(1, problem.n, false), c);
  return {product.descriptor.impl_info_str(),
          Primitive(compile(product.descriptor,
                            {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST}))};
}

// ---- convolution ---------------------------------------------------------------------------------------------------

struct ConvolutionAlgorithm::Implementation {
  Pass pass;
  primitive_desc_base descriptor;
  std::string name;
  memory::desc blob, plain_weights;
  std::string key;
};

ConvolutionAlgorithm::ConvolutionAlgorithm(std::shared_ptr<const Implementation> implementation)
    : implementation_(std::move(implementation)) {}

const std::string& ConvolutionAlgorithm::implementation() const { return implementation_->name; }

bool ConvolutionAlgorithm::reference() const { return implementation_->name.starts_with("ref"); }

bool ConvolutionAlgorithm::weights_plain() const {
  return implementation_->blob == implementation_->plain_weights;
}

const std::string& ConvolutionAlgorithm::weights_key() const { return implementation_->key; }

std::size_t ConvolutionAlgorithm::weights_bytes() const { return implementation_->blob.get_size(); }

Primitive ConvolutionAlgorithm::make() const {
  switch (implementation_->pass) {
    case Pass::backward_data:
      return Primitive(compile(implementation_->descriptor,
                               {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC}));
    case Pass::backward_weights:
      return Primitive(compile(implementation_->descriptor,
                               {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS}));
    default:
      return Primitive(
          compile(implementation_->descriptor, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}));
  }
}

Primitive ConvolutionAlgorithm::make_pack() const {
  return reorder(implementation_->plain_weights, implementation_->blob);
}

Primitive ConvolutionAlgorithm::make_unpack() const {
  return reorder(implementation_->blob, implementation_->plain_weights);
}

namespace {
// The arguments of a convolution in the library's terms.
struct Terms {
  memory::desc x, y, any_weights, plain_weights;
  memory::dims strides, dilations, pad_before, pad_after;

  explicit Terms(const ConvolutionProblem& p) : x(layout_of(p.x)), y(layout_of(p.y)) {
    memory::dims w = dims(p.weights);
    if (p.groups > 1) {  // the same memory, seen as (G, K/G, C/G, R, S)
      w[0] /= p.groups;
      w.insert(w.begin(), p.groups);
    }
    any_weights = {w, data_type(p.x.dtype), memory::format_tag::any};
    plain_weights = plain(w, DType::f32);
    strides = {p.stride_h, p.stride_w};
    dilations = {p.dilation_h - 1, p.dilation_w - 1};
    pad_before = {p.pad_h, p.pad_w};
    for (int axis = 2; axis < 4; ++axis) {
      const auto i = static_cast<std::size_t>(axis - 2);
      const std::int64_t kernel = (p.weights[axis] - 1) * (dilations[i] + 1) + 1;
      const std::int64_t reach = (p.y.shape[axis] - 1) * strides[i] + kernel;
      pad_after.push_back(std::max<std::int64_t>(0, reach - p.x.shape[axis] - pad_before[i]));
    }
  }
};

primitive_desc_base copy_of(const primitive_desc_base& descriptor) {
  dnnl_primitive_desc_t copy = nullptr;
  dnnl::error::wrap_c_api(dnnl_primitive_desc_clone(&copy, descriptor.get()),
                          "oneDNN could not copy a primitive descriptor");
  return primitive_desc_base(copy);
}

// "jit:avx2" after "jit:avx512_core" is the same kernel with shorter registers: what stands before the colon is its
// name, and the library lists the newest instruction set first.
std::string family_of(const std::string& implementation) {
  return implementation.substr(0, implementation.find(':'));
}

// Matrix multiplication over unfolded pixels, plain loops: last in the library's list, for what no kernel was made for.
bool is_fallback(const std::string& implementation) {
  return implementation.starts_with("ref") || implementation.find("gemm:") != std::string::npos;
}

// Implementations that are wrong. Both 2.6.3 and 3.2 keep the strided pixels of a 1×1 in a buffer too small for its
// whole registers when channels last is no multiple of them: with several threads backward weights then writes past its
// end, into a neighbour's sums or beyond its scratch memory.
bool is_faulty(Pass pass, const ConvolutionProblem& p, const std::string& implementation) {
  const std::int64_t channels = p.x.shape[1];
  const bool strided = p.stride_h > 1 || p.stride_w > 1;
  return pass == Pass::backward_weights && implementation.starts_with("jit_1x1") && strided &&
         p.x.format.block == channels && channels % 16 != 0;
}

template <class Descriptor>
std::vector<ConvolutionAlgorithm> list(Pass pass, Descriptor& descriptor,
                                       const ConvolutionProblem& problem, const Terms& terms) {
  std::vector<ConvolutionAlgorithm> algorithms;
  if (!descriptor) return algorithms;
  const int weights = pass == Pass::backward_weights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS;
  do {
    const std::string name = descriptor.impl_info_str();
    if (is_fallback(name) && !algorithms.empty()) break;
    const bool repeated = std::any_of(
        algorithms.begin(), algorithms.end(), [&](const ConvolutionAlgorithm& algorithm) {
          return family_of(algorithm.implementation()) == family_of(name);
        });
    if (repeated || is_faulty(pass, problem, name)) continue;
    const memory::desc blob = descriptor.query_md(query::exec_arg_md, weights);
    algorithms.emplace_back(std::make_shared<const ConvolutionAlgorithm::Implementation>(
        ConvolutionAlgorithm::Implementation{pass, copy_of(descriptor), name, blob,
                                             terms.plain_weights, key_of(blob)}));
  } while (descriptor.next_impl());
  return algorithms;
}
}  // namespace

std::vector<ConvolutionAlgorithm> convolution_algorithms(Pass pass, Mode mode,
                                                         const ConvolutionProblem& problem,
                                                         bool winograd) {
  const Terms t(problem);
  const auto algorithm =
      winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  using Forward = Description<dnnl::convolution_forward>;
  if (pass == Pass::forward) {
    const auto kind = mode == Mode::train ? dnnl::prop_kind::forward_training
                                          : dnnl::prop_kind::forward_inference;
    Forward forward(nullptr, kind, algorithm, t.x, t.any_weights, t.y, t.strides, t.dilations,
                    t.pad_before, t.pad_after);
    return list(pass, forward.descriptor, problem, t);
  }
  // Backward is described with a forward descriptor of the same problem as a hint; any algorithm will do.
  const Forward forward(nullptr, dnnl::prop_kind::forward_training,
                        dnnl::algorithm::convolution_direct, t.x, t.any_weights, t.y, t.strides,
                        t.dilations, t.pad_before, t.pad_after);
  if (!forward.descriptor) return {};
  if (pass == Pass::backward_data) {
    Description<dnnl::convolution_backward_data> backward(forward.descriptor, algorithm, t.x,
                                                          t.any_weights, t.y, t.strides,
                                                          t.dilations, t.pad_before, t.pad_after);
    return list(pass, backward.descriptor, problem, t);
  }
  Description<dnnl::convolution_backward_weights> backward(forward.descriptor, algorithm, t.x,
                                                           t.any_weights, t.y, t.strides,
                                                           t.dilations, t.pad_before, t.pad_after);
  return list(pass, backward.descriptor, problem, t);
}
}  // namespace autodidact::engine::onednn
