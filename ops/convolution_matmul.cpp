#include "ops/convolution_matmul.hpp"

#include <algorithm>
#include <cstring>

#include "engine/bf16.hpp"
#include "engine/mutation.hpp"
#include "engine/onednn.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::DType, engine::Emitter, engine::in, engine::Lane;
using engine::mutated, engine::Operand, engine::out, engine::Pass, engine::Query, engine::Shape, engine::TensorType, engine::with_element;
namespace onednn = engine::onednn;

namespace {

// Of y: with more, the written-out windows would be larger than all else in memory.
constexpr std::int64_t kMostPixels = 64;

// Windows of planes (N,H,W,C), a row for each of H'·W' positions: (R,S,C) contiguous.
struct Windows {
  Windows(const TensorType& planes, const Shape& positions, const Shape& weights, const ConvolutionGeometry& g)
      : height(planes.shape[2]), width(planes.shape[3]), high(positions[2]), wide(positions[3]), kernel_h(weights[2]), kernel_w(weights[3]),
        count(positions[0] * high * wide), pixel_bytes(static_cast<std::size_t>(planes.shape[1]) * engine::bytes_of(planes.dtype)),
        geometry(g) {
    if (mutated("convolution.fast.windows")) geometry.pad_w = std::max<std::int64_t>(0, g.pad_w - 1);
  }
  std::size_t row_bytes() const { return static_cast<std::size_t>(kernel_h * kernel_w) * pixel_bytes; }
  std::size_t bytes() const { return static_cast<std::size_t>(count) * row_bytes(); }

  // Rows [begin, end).
  void write(const std::byte* planes, std::byte* rows, std::int64_t begin, std::int64_t end) const {
    std::byte* to = rows + static_cast<std::size_t>(begin) * row_bytes();
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t n = row / (high * wide), h = row / wide % high, w = row % wide;
      for (std::int64_t r = 0; r < kernel_h; ++r)
        for (std::int64_t s = 0; s < kernel_w; ++s, to += pixel_bytes) {
          const std::int64_t y = h * geometry.stride_h + r * geometry.dilation_h - geometry.pad_h;
          const std::int64_t x = w * geometry.stride_w + s * geometry.dilation_w - geometry.pad_w;
          if (y < 0 || y >= height || x < 0 || x >= width) std::memset(to, 0, pixel_bytes);
          else std::memcpy(to, planes + static_cast<std::size_t>((n * height + y) * width + x) * pixel_bytes, pixel_bytes);
        }
    }
  }

  std::int64_t height, width, high, wide, kernel_h, kernel_w, count;
  std::size_t pixel_bytes;
  ConvolutionGeometry geometry;
};

// Calls visit(index in (K,C,R,S), k, c, tap) for every weight, the filters k shared out among the threads; tap = r·S + s.
template <class Visit>
void each_weight(Lane& lane, const Shape& w, Visit visit) {
  const std::int64_t channels = w[1], taps = w[2] * w[3];
  lane.parallel(w[0], [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t k = begin, i = begin * channels * taps; k < end; ++k)
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t tap = 0; tap < taps; ++tap, ++i) visit(i, k, c, tap);
  });
}

// One pass of one convolution in these terms.
class Product {
 public:
  Product(const Query& query, const ConvolutionGeometry& geometry)
      : pass_(query.pass), w_(query.inputs[1]), x_(query.type(query.inputs[0], Query::kChannelsLast)),
        y_(query.type(query.outputs[0], Query::kChannelsLast)), geometry_(geometry) {}

  bool pointwise() const {
    const ConvolutionGeometry& g = geometry_;
    return w_[2] == 1 && w_[3] == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 && g.pad_w == 0;
  }
  bool fits() const {
    const ConvolutionGeometry& g = geometry_;
    if (g.groups > 1) return false;
    if (pointwise()) return true;
    if (y_.shape[2] * y_.shape[3] > kMostPixels) return false;
    return pass_ != Pass::backward_data || (g.stride_h == 1 && g.stride_w == 1 && turned().pad_h >= 0 && turned().pad_w >= 0);
  }

  Candidate candidate() const {
    const onednn::Matmul product = onednn::make_matmul(problem());
    Candidate candidate;
    candidate.id = pointwise() ? "matmul" : "im2col";
    candidate.implementation = product.implementation;
    const onednn::MatmulProblem terms = problem();
    if (terms.factors == DType::f32)
      candidate.products = static_cast<double>(terms.m) * static_cast<double>(terms.n) * static_cast<double>(terms.k);
    candidate.types = {{pass_ == Pass::backward_data ? d_in(0) : in(0), x_}, {pass_ == Pass::forward ? out() : d_out(), y_}};
    candidate.emit = [*this, primitive = product.primitive](Emitter& emitter) { emit(emitter, primitive); };
    return candidate;
  }

 private:
  std::int64_t taps() const { return w_[2] * w_[3]; }

  // The convolution by which dy becomes dx.
  ConvolutionGeometry turned() const {
    ConvolutionGeometry g = geometry_;
    g.pad_h = g.dilation_h * (w_[2] - 1) - g.pad_h;
    g.pad_w = g.dilation_w * (w_[3] - 1) - g.pad_w;
    return g;
  }

  onednn::MatmulProblem problem() const {
    const std::int64_t of_x = x_.shape[0] * x_.shape[2] * x_.shape[3], of_y = y_.shape[0] * y_.shape[2] * y_.shape[3];
    const std::int64_t c = w_[1], k = w_[0];
    onednn::MatmulProblem product{.factors = x_.dtype, .result = x_.dtype};
    if (pass_ == Pass::forward) product.m = of_y, product.n = k, product.k = taps() * c, product.transpose_b = true;
    if (pass_ == Pass::backward_data) product.m = of_x, product.n = c, product.k = taps() * k;
    if (pass_ == Pass::backward_weights)
      product.m = k, product.n = taps() * c, product.k = of_y, product.transpose_a = true, product.result = DType::f32;
    if (mutated("convolution.fast.matmul")) --product.k;  // loses the last term
    return product;
  }

  // The planes as rows: as they are, or their windows, written to memory of this pass.
  Operand rows(Emitter& emitter, const Operand& planes, const Windows& windows) const {
    if (pointwise()) return planes;
    const Operand written = emitter.temporary(windows.bytes());
    emitter.task({"windows", {planes}, {written}, 0, [windows](Lane& lane, const Arguments& a) {
                    lane.parallel(windows.count, [&](std::int64_t begin, std::int64_t end, int) {
                      windows.write(a.read<std::byte>(0), a.write<std::byte>(0), begin, end);
                    });
                  }});
    return written;
  }

  // Forward W (K,R·S·C), backward W' (R·S·K,C), in the type of the planes.
  Operand weights(Emitter& emitter) const {
    if (pointwise() && x_.dtype == DType::f32) return in(1);
    const bool backward = pass_ == Pass::backward_data;
    const auto kernel = [w = w_, taps = taps(), backward, type = x_.dtype](Lane& lane, const Arguments& a) {
      with_element(type, [&](auto t) {
        auto* to = a.write<decltype(t)>(0);
        each_weight(lane, w, [&](std::int64_t i, std::int64_t k, std::int64_t c, std::int64_t tap) {
          const std::int64_t place = backward ? ((taps - 1 - tap) * w[0] + k) * w[1] + c : (k * taps + tap) * w[1] + c;
          to[place] = a.read<float>(0)[i];
        });
      });
    };
    return emitter.pack({{in(1)}, std::string(backward ? "turned matrix " : "matrix ") + name_of(x_.dtype),
                         static_cast<std::size_t>(w_.count()) * engine::bytes_of(x_.dtype), 0, kernel});
  }

  static void emit_product(Emitter& emitter, const Operand& left, const Operand& right, const Operand& result,
                           const onednn::Primitive& product) {
    emitter.task({"", {left, right}, {result}, product.scratch_bytes(), [product](Lane&, const Arguments& a) {
                    product.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                  }});
  }

  void emit(Emitter& emitter, const onednn::Primitive& product) const {
    if (pass_ == Pass::backward_data) {
      const Operand left = rows(emitter, d_out(), Windows(y_, x_.shape, w_, turned()));
      return emit_product(emitter, left, weights(emitter), d_in(0), product);
    }
    const Operand windows = rows(emitter, in(0), Windows(x_, y_.shape, w_, geometry_));
    if (pass_ == Pass::forward) return emit_product(emitter, windows, weights(emitter), out(), product);
    if (taps() == 1) return emit_product(emitter, d_out(), windows, d_in(1), product);
    const Operand matrix = emitter.temporary(static_cast<std::size_t>(w_.count()) * sizeof(float));
    emit_product(emitter, d_out(), windows, matrix, product);
    emitter.task({"unpack", {matrix}, {d_in(1)}, 0, [w = w_, taps = taps()](Lane& lane, const Arguments& a) {
                    each_weight(lane, w, [&](std::int64_t i, std::int64_t k, std::int64_t c, std::int64_t tap) {
                      a.write<float>(0)[i] = a.read<float>(0)[(k * taps + tap) * w[1] + c];
                    });
                  }});
  }

  Pass pass_;
  Shape w_;
  TensorType x_, y_;
  ConvolutionGeometry geometry_;
};
}  // namespace

std::vector<Candidate> matmul_candidates(const Query& query, const ConvolutionGeometry& geometry) {
  if (std::find(query.blocks.begin(), query.blocks.end(), Query::kChannelsLast) == query.blocks.end()) return {};
  const Product product(query, geometry);
  if (!product.fits()) return {};
  return {product.candidate()};
}
}  // namespace autodidact::ops
