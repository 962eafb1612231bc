// The convolutions of engine/onednn.hpp: which implementations the library has, and which of them are worth a try.
#include <algorithm>
#include <mutex>

#include "engine/onednn_descriptors.hpp"

namespace autodidact::engine::onednn {
using dnnl::memory;
using dnnl::primitive_desc_base;
using dnnl::query;

struct ConvolutionAlgorithm::Implementation {
  Pass pass;
  primitive_desc_base descriptor;
  std::string name;
  memory::desc blob, plain_weights;
  std::string key;
  bool bias = false;
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
      return make_primitive(implementation_->descriptor,
                            {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC});
    case Pass::backward_weights:
      return make_primitive(implementation_->descriptor,
                            {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS});
    default:
      if (implementation_->bias)
        return make_primitive(implementation_->descriptor,
                              {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST});
      return make_primitive(implementation_->descriptor,
                            {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
  }
}

Primitive ConvolutionAlgorithm::make_pack() const {
  return make_reorder(implementation_->plain_weights, implementation_->blob);
}

Primitive ConvolutionAlgorithm::make_unpack() const {
  return make_reorder(implementation_->blob, implementation_->plain_weights);
}

namespace {
// A name for each distinct weight layout. The library can compare layouts but not print them.
std::string key_of(const memory::desc& layout) {
  static std::mutex mutex;
  static std::vector<memory::desc> known;
  const std::lock_guard lock(mutex);
  auto found = std::find(known.begin(), known.end(), layout);
  if (found == known.end()) found = known.insert(found, layout);
  return "onednn layout " + std::to_string(found - known.begin());
}

// The arguments of a convolution in the library's terms.
struct Terms {
  memory::desc x, y, any_weights, plain_weights;
  memory::desc any_gradient;  // of the weights: f32 whatever x is
  memory::desc bias;  // empty: none
  memory::dims strides, dilations, pad_before, pad_after;

  explicit Terms(const ConvolutionProblem& p) : x(layout_of(p.x)), y(layout_of(p.y)) {
    memory::dims w = dims(p.weights);
    if (p.groups > 1) {  // the same memory, seen as (G, K/G, C/G, R, S)
      w[0] /= p.groups;
      w.insert(w.begin(), p.groups);
    }
    any_weights = {w, data_type(p.x.dtype), memory::format_tag::any};
    any_gradient = {w, memory::data_type::f32, memory::format_tag::any};
    plain_weights = plain(w, DType::f32);
    if (p.bias) bias = plain({p.weights[0]}, DType::f32);
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

// Our scratch memory, and what is computed behind the sum.
dnnl::primitive_attr attributes_of(const ConvolutionProblem& p) {
  dnnl::primitive_attr attributes = with_user_scratch();
  dnnl::post_ops behind;
  if (p.add_to_y) behind.append_sum(1);
  if (p.relu) append_relu(behind);
  attributes.set_post_ops(behind);
  return attributes;
}

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

// Dense kernels also take depthwise problems, at a fifteenth of the speed of the kernels made for them.
bool is_depthwise(const std::string& implementation) {
  return family_of(implementation).ends_with("_dw");
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
    const bool useless = std::any_of(algorithms.begin(), algorithms.end(),
                                     [&](const ConvolutionAlgorithm& algorithm) {
                                       const std::string& listed = algorithm.implementation();
                                       return family_of(listed) == family_of(name) ||
                                              (is_depthwise(listed) && !is_depthwise(name));
                                     });
    if (useless || is_faulty(pass, problem, name)) continue;
    const memory::desc blob = descriptor.query_md(query::exec_arg_md, weights);
    algorithms.emplace_back(std::make_shared<const ConvolutionAlgorithm::Implementation>(
        ConvolutionAlgorithm::Implementation{pass, copy_of(descriptor), name, blob,
                                             terms.plain_weights, key_of(blob), problem.bias}));
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
    Forward forward(attributes_of(problem), kind, algorithm, t.x, t.any_weights, t.bias, t.y, t.strides,
                    t.dilations, t.pad_before, t.pad_after);
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
                                                           t.any_gradient, t.y, t.strides,
                                                           t.dilations, t.pad_before, t.pad_after);
  return list(pass, backward.descriptor, problem, t);
}
}  // namespace autodidact::engine::onednn
