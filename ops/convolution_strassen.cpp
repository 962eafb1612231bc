#include "ops/convolution_strassen.hpp"

#include <algorithm>

#include "engine/mutation.hpp"
#include "engine/onednn.hpp"
#include "ops/channel_products.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter, engine::in, engine::Lane;
using engine::mutated, engine::Operand, engine::out, engine::Pass, engine::Query, engine::Shape, engine::TensorType;
using std::int64_t;
using namespace channel_products;

namespace {
constexpr int kSlots = 7;
constexpr int kVectors = 2;     // blocks of channels of a result that are made side by side
constexpr int64_t kGroup = 32;  // rows in each half of a group, whose V and M are kept at a time

// The factors of the seven products, and the result from them.
inline void left(const Channels (&a)[4], Channels (&s)[kSlots]) {
  const Channels s1 = a[2] + a[3], s2 = s1 - a[0];
  s[0] = a[0], s[1] = a[1], s[2] = a[1] - s2, s[3] = a[3], s[4] = s1, s[5] = s2, s[6] = a[0] - a[2];
}
inline void right(const Channels (&b)[4], Channels (&t)[kSlots]) {
  const Channels t1 = b[1] - b[0], t2 = b[3] - t1;
  t[0] = b[0], t[1] = b[2], t[2] = b[3], t[3] = t2 - b[2], t[4] = t1, t[5] = t2, t[6] = b[3] - b[1];
}
inline void result(const Channels (&p)[kSlots], Channels (&c)[4]) {
  const Channels u2 = p[0] + p[5], u3 = u2 + p[6];
  c[0] = p[0] + p[1], c[1] = u2 + p[4] + p[2], c[2] = u3 - p[3], c[3] = u3 + p[4];
}

// Pixels as rows of channels: planes (N, blocks, pixels, 16).
template <class T>
struct Matrix {
  T* data;
  int64_t rows, blocks, pixels;  // in a plane
  // Of the first block; the others follow every block() numbers.
  T* row(int64_t r) const { return data + (r / pixels * blocks * pixels + r % pixels) * kBlock; }
  int64_t block() const { return pixels * kBlock; }
};

// The factors of kGroup rows from `first` on and as many behind them. Rows that there are not are zeros.
inline void transform(const Matrix<const float>& matrix, int64_t first, float* to, const Rows& rows) {
  alignas(64) static constexpr float kZeros[kBlock] = {};
  const int64_t columns = matrix.blocks / 2;
  for (int64_t t = 0; t < kGroup; ++t) {
    const int64_t above = first + t, below = above + kGroup;
    const float* up = above < matrix.rows ? matrix.row(above) : nullptr;
    const float* down = below < matrix.rows ? matrix.row(below) : nullptr;
    for (int64_t b = 0; b < columns; ++b) {
      const int64_t near = b * matrix.block(), far = (b + columns) * matrix.block();
      Channels four[4], seven[kSlots];
      load(up ? up + near : kZeros, four[0]);
      load(up ? up + far : kZeros, four[1]);
      load(down ? down + near : kZeros, four[2]);
      load(down ? down + far : kZeros, four[3]);
      left(four, seven);
      for (int slot = 0; slot < kSlots; ++slot) store(seven[slot], to + slot * rows.slot() + b * rows.block() + t * kBlock);
    }
  }
}

// Asks for line i of both halves of a group from row `first` on.
inline void fetch(const Matrix<const float>& matrix, int64_t first, int64_t i) {
  const int64_t row = first + i % (2 * kGroup);
  if (row < matrix.rows) __builtin_prefetch(matrix.row(row) + i / (2 * kGroup) * matrix.block());
}

// Groups [begin, end) of Y = X·Wᵀ.
AUTODIDACT_KERNEL_AVX512 void multiply(const Matrix<const float>& from, const Matrix<float>& to, const float* u, int64_t begin, int64_t end, float* v, float* m) {
  const Rows of_v{kGroup, from.blocks / 2}, of_m{kGroup, kVectors};
  const int64_t channels = of_v.blocks * kBlock, columns = to.blocks / 2;
  const bool past_caches = static_cast<std::size_t>(to.rows * to.blocks * kBlock) * sizeof(float) >= kPastCaches;
  for (int64_t g = begin; g < end; ++g) {
    const int64_t first = g * 2 * kGroup;
    transform(from, first, v, of_v);
    // Memory is idle while products are summed: meanwhile it brings the next group, a share with each call.
    const int64_t calls = columns / kVectors * kSlots * (kGroup / kRows), lines = g + 1 < end ? from.blocks * 2 * kGroup : 0;
    int64_t call = 0, asked = 0;
    for (int64_t k = 0; k < columns; k += kVectors) {
      const float* filters = u + k * kBlock * channels * kSlots;
      for (int64_t slot = 0; slot < kSlots; ++slot)
        for (int64_t t = 0; t < kGroup; t += kRows) {
          for (++call; asked * calls < lines * call; ++asked) fetch(from, first + 2 * kGroup, asked);
          multiply_rows<kVectors>(v + slot * of_v.slot() + t * kBlock, of_v, filters + slot * channels * kVectors * kBlock,
                                  m + slot * of_m.slot() + t * kBlock);
        }
      for (int64_t t = 0; t < kGroup; ++t) {
        const int64_t above = first + t, below = above + kGroup;
        for (int64_t q = 0; q < kVectors; ++q) {
          Channels products[kSlots], four[4];
          for (int slot = 0; slot < kSlots; ++slot) load(m + slot * of_m.slot() + q * of_m.block() + t * kBlock, products[slot]);
          result(products, four);
          const int64_t near = (k + q) * to.block(), far = (k + q + columns) * to.block();
          if (above < to.rows) store(four[0], to.row(above) + near, past_caches), store(four[1], to.row(above) + far, past_caches);
          if (below < to.rows) store(four[2], to.row(below) + near, past_caches), store(four[3], to.row(below) + far, past_caches);
        }
      }
    }
  }
  end_stores();
}

// U of 16·kVectors columns of each half from k on: kSlots, channels / 2, 16·kVectors. The matrix W (K,C) is the right factor where `turned`, else Wᵀ.
AUTODIDACT_KERNEL_AVX512 void pack(const float* w, bool turned, int64_t channels, int64_t filters, int64_t k, float* u) {
  const auto weight = [=](int64_t from, int64_t to) { return turned ? w[from * filters + to] : w[to * channels + from]; };
  for (int64_t c = 0; c < channels / 2; ++c)
    for (int64_t q = 0; q < kVectors; ++q) {
      Channels four[4], seven[kSlots];
      for (int64_t l = 0; l < kBlock; ++l)
        for (int i = 0; i < 4; ++i) four[i][l] = weight(c + i / 2 * (channels / 2), k + q * kBlock + l + i % 2 * (filters / 2));
      right(four, seven);
      for (int slot = 0; slot < kSlots; ++slot) store(seven[slot], u + ((slot * (channels / 2) + c) * kVectors + q) * kBlock);
    }
}

class StrassenPass {
 public:
  explicit StrassenPass(const Query& query)
      : pass_(query.pass), threads_(query.threads), weights_change_(query.weights_change), w_(query.inputs[1]), x_(query.type(query.inputs[0], kBlock)),
        y_(query.type(query.outputs[0], kBlock)) {}

  bool fits(const ConvolutionGeometry& g) const {
    constexpr int64_t kBoth = 2 * kVectors * kBlock;  // halves of whole vectors
    const bool pointwise = g.groups == 1 && w_[2] == 1 && w_[3] == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 && g.pad_w == 0;
    return pass_ != Pass::backward_weights && pointwise && x_.dtype == engine::DType::f32 && w_[0] % kBoth == 0 && w_[1] % kBoth == 0;
  }

  Candidate candidate() const {
    Candidate candidate;
    candidate.id = "strassen";
    candidate.implementation = "own_strassen";
    candidate.types = {{back() ? d_in(0) : in(0), x_}, {back() ? d_out() : out(), y_}};
    candidate.emit = [*this](Emitter& emitter) { emit(emitter); };
    return candidate;
  }

 private:
  bool back() const { return pass_ == Pass::backward_data; }
  template <class T>
  static Matrix<T> matrix(const TensorType& type, T* data) {
    const int64_t pixels = type.shape[2] * type.shape[3];
    return {data, type.shape[0] * pixels, type.shape[1] / kBlock, pixels};
  }

  // U. Where the weights change with every step, it is not kept longer than it is needed.
  Operand filters(Emitter& emitter) const {
    const bool back = this->back();
    const int64_t filters = w_[back ? 1 : 0], channels = w_[back ? 0 : 1], size = kSlots * (channels / 2) * kVectors * kBlock;
    const int64_t parts = filters / 2 / (kVectors * kBlock);
    const auto kernel = [=](Lane& lane, const Arguments& a) {
      lane.parallel(parts, [&](int64_t begin, int64_t end, int) {
        for (int64_t part = begin; part < end; ++part)
          pack(a.read<float>(0), back, channels, filters, part * kVectors * kBlock, a.write<float>(0) + part * size);
      });
    };
    const auto bytes = static_cast<std::size_t>(parts * size) * sizeof(float);
    if (!weights_change_) return emitter.pack({{in(1)}, back ? "strassen, turned" : "strassen", bytes, 0, kernel});
    const Operand made = emitter.temporary(bytes);
    emitter.task({"filters", {in(1)}, {made}, 0, kernel});
    return made;
  }

  void emit(Emitter& emitter) const {
    const bool back = this->back();
    const TensorType from = back ? y_ : x_, to = back ? x_ : y_;
    const Rows of_v{kGroup, from.shape[1] / kBlock / 2}, of_m{kGroup, kVectors};
    const int64_t v = kSlots * of_v.slot(), per_thread = v + kSlots * of_m.slot();
    const bool lost = back ? mutated("convolution.fast.strassen.dx") : mutated("convolution.fast.strassen.y");
    emitter.task({"", {back ? d_out() : in(0), filters(emitter)}, {back ? d_in(0) : out()}, static_cast<std::size_t>(threads_ * per_thread) * sizeof(float),
                  [=](Lane& lane, const Arguments& a) {
                    Matrix<const float> source = matrix(from, a.read<float>(0));
                    if (lost) --source.rows;
                    const Matrix<float> target = matrix(to, a.write<float>(0));
                    lane.parallel((target.rows + 2 * kGroup - 1) / (2 * kGroup), [&](int64_t begin, int64_t end, int thread) {
                      float* memory = a.scratch<float>() + thread * per_thread;
                      multiply(source, target, a.read<float>(1), begin, end, memory, memory + v);
                    });
                  }});
  }

  Pass pass_;
  int64_t threads_;
  bool weights_change_;
  Shape w_;
  TensorType x_, y_;
};
}  // namespace

std::vector<Candidate> strassen_candidates(const Query& query, const ConvolutionGeometry& geometry) {
  if (query.only_direct || !engine::onednn::has_avx512()) return {};
  if (std::find(query.blocks.begin(), query.blocks.end(), kBlock) == query.blocks.end()) return {};
  const StrassenPass pass(query);
  if (!pass.fits(geometry)) return {};
  return {pass.candidate()};
}
}  // namespace autodidact::ops
