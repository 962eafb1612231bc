// engine/onednn.hpp: oneDNN 2.6 and 3.x behind one face. The words src, dst and diff_src live only in its source.
//
// A problem is described once; `convolution_algorithms` lists every implementation that the library offers for it, not
// only its favourite, as descriptors that cost little. Making a Primitive compiles the kernel. Both must happen in a
// lane of the size that will run the primitive, because the library fixes the thread count there.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "engine/op.hpp"
#include "engine/shape.hpp"

namespace autodidact::engine::onednn {

std::string version();           // "2.6.3"
std::string threading();         // "OpenMP", "TBB"
std::string isa();               // "AVX512_CORE_BF16": the highest that the library will use here
bool has_avx512();               // by the library's own view (ONEDNN_MAX_CPU_ISA respected)
bool has_bf16();                 // whether it computes in bf16 here: asked, not guessed
std::int64_t preferred_block();  // 16 with AVX-512, else 8: the channel block of f32 activations

// x (N,C,H,W), w (K,C/G,R,S), y (N,K,H',W'): x and y both f32 or both bf16. Weights are f32 outside; where x and y are bf16 the blob
// that forward and backward_data read is bf16 too, and the one that backward_weights writes f32.
struct ConvolutionProblem {
  TensorType x, y;
  Shape weights;  // OIHW; I = C/G
  std::int64_t groups = 1, stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;  // above and left; below and right follow from the shapes
  std::int64_t dilation_h = 1, dilation_w = 1;  // 1: dense
  // Of the forward pass, behind the sum: y = [relu](conv(x, w) [+ bias (K)] [+ what lies in y]).
  bool bias = false, add_to_y = false, relu = false;
};

// A compiled primitive with its argument list built once; execute() sets the addresses that changed and calls the C
// interface, which does not allocate on our side. One thread at a time may execute it.
class Primitive {
 public:
  struct Implementation;
  explicit Primitive(std::shared_ptr<Implementation> implementation);
  std::size_t scratch_bytes() const;
  // Addresses in the order stated by who made it; `scratch` has at least scratch_bytes(). Throws std::runtime_error if
  // the library fails.
  void execute(std::initializer_list<const void*> addresses, void* scratch = nullptr) const;

 private:
  std::shared_ptr<Implementation> implementation_;
};

// One implementation of one convolution pass. The weights have a layout of the library's choice.
class ConvolutionAlgorithm {
 public:
  struct Implementation;
  explicit ConvolutionAlgorithm(std::shared_ptr<const Implementation> implementation);
  const std::string& implementation() const;  // "jit:avx512_core"
  bool reference() const;                     // the library's plain loops: hundreds of times slower
  bool weights_plain() const;                 // blob layout = OIHW: no pack or unpack needed
  const std::string& weights_key() const;     // equal keys: equal layouts (in this process)
  std::size_t weights_bytes() const;
  // forward: (x, w[, bias], y) · backward_data: (dy, w, dx) · backward_weights: (x, dy, dw); w and dw are blobs
  Primitive make() const;
  Primitive make_pack() const;    // (plain OIHW, blob)
  Primitive make_unpack() const;  // (blob, plain OIHW)

 private:
  std::shared_ptr<const Implementation> implementation_;
};

// Every distinct implementation for `pass`, the library's favourite first: without those that are the same kernel for an
// older instruction set, the dense ones where there is one for depthwise, those known to be wrong, and the general
// fall-backs (gemm, ref) unless nothing else exists. Empty if the library has none.
std::vector<ConvolutionAlgorithm> convolution_algorithms(Pass pass, Mode mode,
                                                         const ConvolutionProblem& problem,
                                                         bool winograd);

// c (M×N) = a (M×K) · b (K×N) [+ bias (N)], row-major, or stored transposed (a as K×M, b as N×K). a and b are both f32 or both
// bf16; sums are f32. Addresses: (a, b[, bias], c).
struct MatmulProblem {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false, bias = false;
  DType factors = DType::f32, result = DType::f32;
};
struct Matmul {
  std::string implementation;
  Primitive primitive;
};
Matmul make_matmul(const MatmulProblem& problem);

// (from, to): same shape, other format or number type. No scratch.
Primitive make_reorder(const TensorType& from, const TensorType& to);
}  // namespace autodidact::engine::onednn
