#include "ops/convolution_strassen.hpp"

#include <algorithm>
#include <utility>

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
constexpr int64_t kColumns = kVectors * kBlock;
constexpr int64_t kHalfGroup = 32;          // rows in each half of a group, whose factors are kept at a time
// Likewise for dW: more where there are few channels, whose seven products would be read and written often else.
constexpr int64_t kGradientHalfGroup = 64, kGradientHalfGroupOfFew = 96, kFewChannels = 1024;  // of x and y together

// The factors of the seven products, and the result from them.
inline void left(const Channels (&a)[4], Channels (&s)[kSlots]) {
  const Channels s1 = a[2] + a[3], s2 = s1 - a[0];
  s[0] = a[0], s[1] = a[1], s[2] = a[1] - s2, s[3] = a[3], s[4] = s1, s[5] = s2, s[6] = a[0] - a[2];
}
inline void left_transposed(const Channels (&a)[4], Channels (&s)[kSlots]) { left({a[0], a[2], a[1], a[3]}, s); }
inline void right(const Channels (&b)[4], Channels (&t)[kSlots]) {
  const Channels t1 = b[1] - b[0], t2 = b[3] - t1;
  t[0] = b[0], t[1] = b[2], t[2] = b[3], t[3] = t2 - b[2], t[4] = t1, t[5] = t2, t[6] = b[3] - b[1];
}
inline void result(const Channels (&p)[kSlots], Channels (&c)[4]) {
  const Channels u2 = p[0] + p[5], u3 = u2 + p[6];
  c[0] = p[0] + p[1], c[1] = u2 + p[4] + p[2], c[2] = u3 - p[3], c[3] = u3 + p[4];
}

// Pixels as rows of channels: of planes (N, blocks, height, width, 16), every stride-th pixel of every stride-th line.
template <class T>
struct Matrix {
  T* data;
  int64_t rows, high, wide;  // lines and pixels of a plane that are rows
  int64_t blocks, height, width, stride;
  int64_t block() const { return height * width * kBlock; }  // from a row of one to the same of the next
  int64_t half() const { return blocks / 2 * block(); }
  int64_t images() const { return rows / (high * wide); }
};
double mean_square(const Matrix<const float>& matrix) {
  return channel_products::mean_square(matrix.data, 1, 0, matrix.images() * matrix.blocks * matrix.height * matrix.width);
}

// Walks from row to row.
template <class T>
class Pixel {
 public:
  Pixel(const Matrix<T>& matrix, int64_t row)
      : matrix_(matrix), left_(matrix.rows - row), n_(row / (matrix.high * matrix.wide)), y_(row / matrix.wide % matrix.high), x_(row % matrix.wide),
        line_(line()) {}
  void next() {
    --left_;
    if (++x_ < matrix_.wide) return;
    x_ = 0;
    if (++y_ == matrix_.high) y_ = 0, ++n_;
    line_ = line();
  }
  // Of the first block; none behind the last row.
  T* row() const { return left_ > 0 ? line_ + x_ * matrix_.stride * kBlock : nullptr; }
  // Lines and columns from here to the next row.
  int64_t lines() const { return std::min(matrix_.stride, matrix_.height - y_ * matrix_.stride); }
  int64_t columns() const { return std::min(matrix_.stride, matrix_.width - x_ * matrix_.stride); }

 private:
  T* line() const { return matrix_.data + (n_ * matrix_.blocks * matrix_.height + y_ * matrix_.stride) * matrix_.width * kBlock; }

  const Matrix<T> matrix_;
  int64_t left_, n_, y_, x_;
  T* line_;
};

// A row: `block` is the distance to its next block of channels, `half` to the other half of them. Both are 0 for a row that there is not, all of whose
// channels are one place.
template <class T>
struct Row {
  T* data;
  int64_t block, half;
};
template <class T>
inline Row<T> row_of(const Matrix<T>& matrix, T* row, T* nowhere) {
  return row ? Row<T>{row, matrix.block(), matrix.half()} : Row<T>{nowhere, 0, 0};
}

// The factors of one group of rows after the other, of so many blocks from first_block on of each half. Memory is idle while products are summed: meanwhile it
// brings the next group, and what has come is made factors of. A piece is 16 channels of each quarter of a row.
template <void (*kFactors)(const Channels (&)[4], Channels (&)[kSlots]), int64_t kHalf>
class Factors {
 public:
  // Of the matrix times `scale`.
  Factors(const Matrix<const float>& matrix, float scale, int64_t first_block, int64_t blocks, float* memory)
      : matrix_(matrix), scale_(scale), first_block_(first_block), rows_{kHalf, blocks}, made_(memory), next_(memory + size(blocks) / 2) {}

  static int64_t size(int64_t blocks) { return 2 * kSlots * (Rows{kHalf, blocks}.slot() + Rows{kHalf, blocks}.starts()); }
  const Rows& rows() const { return rows_; }
  const float* slot(int64_t slot) const { return made_ + slot * rows_.slot(); }
  float* starts(int64_t slot) const { return made_ + kSlots * rows_.slot() + slot * rows_.starts(); }

  // The next group: rows from `first` on, and as many behind them. Rows that there are not are zeros.
  void begin(int64_t first, int64_t calls) {
    alignas(64) static constexpr float kZeros[kBlock] = {};
    Pixel<const float> pixel(matrix_, first);
    for (Row<const float>& row : row_) {
      row = row_of(matrix_, pixel.row(), kZeros);
      row.data += first_block_ * row.block;
      pixel.next();
    }
    pace_ = {first < matrix_.rows ? rows_.blocks * kHalf : 0, calls};
    done_ = asked_ = 0;
  }
  void go_on() {
    for (const int64_t due = pace_.due(); done_ < due; ++done_) make(done_);
    // Not a function: the compiler takes one that only asks for memory to be without effect, and leaves it out.
    for (const int64_t ahead = std::min(done_ + kAhead, pace_.pieces()); asked_ < ahead; ++asked_)
      for (int64_t t = asked_ % kHalf; t < 2 * kHalf; t += kHalf) {
        const float* from = row_[t].data + asked_ / kHalf * row_[t].block;
        __builtin_prefetch(from);
        __builtin_prefetch(from + row_[t].half);
      }
  }
  void end() {
    for (; done_ < pace_.pieces(); ++done_) make(done_);
    std::swap(made_, next_);
  }

 private:
  static constexpr int64_t kAhead = 4;  // pieces

  void make(int64_t piece) const {
    const int64_t t = piece % kHalf, b = piece / kHalf;
    Channels four[4], seven[kSlots];
    for (int i = 0; i < 2; ++i) {
      const Row<const float>& row = row_[t + i * kHalf];
      const float* from = row.data + b * row.block;
      load(from, four[2 * i]);
      load(from + row.half, four[2 * i + 1]);
      four[2 * i] *= scale_, four[2 * i + 1] *= scale_;
    }
    kFactors(four, seven);
    for (int slot = 0; slot < kSlots; ++slot) store(seven[slot], next_ + slot * rows_.slot() + b * rows_.block() + t * kBlock);
  }

  Matrix<const float> matrix_;
  float scale_;
  int64_t first_block_;
  Rows rows_;
  float *made_, *next_;
  Row<const float> row_[2 * kHalf];
  Pace pace_;
  int64_t done_ = 0, asked_ = 0;
};

// The results, kColumns of each half after the others: while the next products are summed, those that are complete go to memory, and zeros to the pixels
// that a stride leaves out: kGaps. A piece is a row.
template <bool kGaps>
class Results {
 public:
  // Times `scale`.
  Results(const Matrix<float>& matrix, float scale, float* memory)
      : matrix_(matrix), scale_(scale), past_caches_(static_cast<std::size_t>(matrix.images() * matrix.blocks * matrix.block()) * sizeof(float) >= kPastCaches),
        gap_(mutated("convolution.fast.strassen.gaps") ? 1.0F : 0.0F), made_(memory), next_(memory + size() / 2) {}

  static constexpr Rows kProducts{kHalfGroup, kVectors};
  static int64_t size() { return 2 * kSlots * kProducts.slot(); }
  float* slot(int64_t slot) const { return next_ + slot * kProducts.slot(); }

  // The products are complete: of the rows from `first` on, and of kVectors blocks from block k on of each half.
  void begin(int64_t first, int64_t k, int64_t calls) {
    std::swap(made_, next_);
    if (k == 0) {
      Pixel<float> pixel(matrix_, first);
      for (Place& place : place_) {
        place = {row_of(matrix_, pixel.row(), nowhere_), pixel.row() ? pixel.lines() : 0, pixel.columns()};
        pixel.next();
      }
    }
    k_ = k;
    pace_ = {kHalfGroup, calls};
    done_ = 0;
  }
  void go_on() {
    for (const int64_t due = pace_.due(); done_ < due; ++done_) make(done_);
  }
  void end() {
    for (; done_ < pace_.pieces(); ++done_) make(done_);
  }

 private:
  // A row's pixel is the first of so many lines and columns, the others of which are zeros.
  struct Place {
    Row<float> row;
    int64_t lines, columns;
  };
  void make(int64_t t) const {
    for (int64_t q = 0; q < kVectors; ++q) {
      Channels products[kSlots], four[4];
      for (int slot = 0; slot < kSlots; ++slot) load(made_ + slot * kProducts.slot() + q * kProducts.block() + t * kBlock, products[slot]);
      result(products, four);
      for (int i = 0; i < 2; ++i) {
        const Row<float>& row = place_[t + i * kHalfGroup].row;
        float* to = row.data + (k_ + q) * row.block;
        store(four[2 * i] * scale_, to, past_caches_);
        store(four[2 * i + 1] * scale_, to + row.half, past_caches_);
      }
    }
    if constexpr (kGaps)
      for (const Place& place : {place_[t], place_[t + kHalfGroup]}) clear_between(place);
  }
  void clear_between(const Place& place) const {
    const Channels zeros = Channels{} + gap_;
    for (int64_t pixel = 1; pixel < place.lines * place.columns; ++pixel)
      for (int64_t q = 0; q < kVectors; ++q) {
        float* between = place.row.data + (k_ + q) * place.row.block + (pixel / place.columns * matrix_.width + pixel % place.columns) * kBlock;
        store(zeros, between, past_caches_);
        store(zeros, between + place.row.half, past_caches_);
      }
  }

  alignas(64) float nowhere_[kBlock];
  Matrix<float> matrix_;
  float scale_;
  bool past_caches_;
  float gap_;
  float *made_, *next_;
  Place place_[2 * kHalfGroup];
  int64_t k_ = 0, done_ = 0;
  Pace pace_;
};

// Of one part of U, kColumns of each half: of each slot, its channels, and what the sums start from.
constexpr int64_t u_slot(int64_t channels) { return (channels + 1) * kColumns; }
constexpr int64_t u_part(int64_t channels) { return kSlots * u_slot(channels); }

// The first slots of all parts are a quarter of W.
double mean_square_of_w(const float* u, int64_t parts, int64_t channels) { return channel_products::mean_square(u, parts, u_part(channels), channels * kVectors); }

// Groups [begin, end) of Y = X·Wᵀ, with X times `scale` on the way. U is W as pack_filters makes it.
template <Sums kSums, bool kGaps>
AUTODIDACT_KERNEL_AVX512 void multiply(const Matrix<const float>& from, const Matrix<float>& to, const float* u, float scale, int64_t begin, int64_t end,
                                       float* memory) {
  const Rows half{kHalfGroup, from.blocks / 2};
  const int64_t channels = half.blocks * kBlock, columns = to.blocks / 2, calls = kSlots * (kHalfGroup / kRows) * half.blocks;
  Factors<left, kHalfGroup> factors(from, scale, 0, half.blocks, memory);
  Results<kGaps> results(to, 1 / scale, memory + factors.size(half.blocks));
  factors.begin(begin * 2 * kHalfGroup, 1);
  for (int64_t first = begin * 2 * kHalfGroup; first < end * 2 * kHalfGroup; first += 2 * kHalfGroup) {
    factors.end();
    factors.begin(first + 2 * kHalfGroup < end * 2 * kHalfGroup ? first + 2 * kHalfGroup : from.rows, columns / kVectors * calls);
    for (int64_t k = 0; k < columns; k += kVectors) {
      for (int64_t slot = 0; slot < kSlots; ++slot) {
        const float* filters = u + k / kVectors * u_part(channels) + slot * u_slot(channels);
        for (int64_t t = 0; t < kHalfGroup; t += kRows) {
          const float* rows = factors.slot(slot) + t * kBlock;
          float* starts = factors.starts(slot) + t;
          if (kSums == Sums::paired && k == 0) start_rows(rows, half, starts);
          multiply_rows<kSums, kVectors>(rows, half, filters, starts, filters + channels * kColumns, results.slot(slot) + t * kBlock, [&] {
            factors.go_on();
            results.go_on();
          });
        }
      }
      results.end();
      results.begin(first, k, calls);
    }
  }
  results.end();
  end_stores();
}

// One step of a transposition: of any two rows that lie kDistance apart, each keeps half of its lanes and gets half of the other's.
template <int kDistance, std::size_t... kLanes>
inline void exchange(Channels (&rows)[kBlock], std::index_sequence<kLanes...>) {
  for (int64_t i = 0; i < kBlock; ++i)
    if ((i & kDistance) == 0) {
      const Channels a = rows[i], b = rows[i + kDistance];  // lanes of the second count from 16
      rows[i] = __builtin_shufflevector(a, b, (kLanes & kDistance ? kLanes - kDistance + kBlock : kLanes)...);
      rows[i + kDistance] = __builtin_shufflevector(a, b, (kLanes & kDistance ? kLanes + kBlock : kLanes + kDistance)...);
    }
}
inline void transpose(Channels (&rows)[kBlock]) {
  constexpr std::make_index_sequence<kBlock> kLanes;
  exchange<1>(rows, kLanes);
  exchange<2>(rows, kLanes);
  exchange<4>(rows, kLanes);
  exchange<8>(rows, kLanes);
}

// U of kColumns of each half from k on: kSlots, channels / 2 and the starts, kColumns. The matrix W (K,C) is the right factor where `turned`, else Wᵀ.
AUTODIDACT_KERNEL_AVX512 void pack_filters(const float* w, bool turned, int64_t channels, int64_t filters, int64_t k, float* u) {
  for (int64_t c = 0; c < channels / 2; c += kBlock)
    for (int64_t q = 0; q < kVectors; ++q) {
      Channels quarters[4][kBlock];  // 16 channels of 16 filters
      for (int i = 0; i < 4; ++i) {
        const int64_t channel = c + i / 2 * (channels / 2), filter = k + q * kBlock + i % 2 * (filters / 2);
        for (int64_t l = 0; l < kBlock; ++l) load(turned ? w + (channel + l) * filters + filter : w + (filter + l) * channels + channel, quarters[i][l]);
        if (!turned) transpose(quarters[i]);
      }
      for (int64_t l = 0; l < kBlock; ++l) {
        Channels seven[kSlots];
        right({quarters[0][l], quarters[1][l], quarters[2][l], quarters[3][l]}, seven);
        for (int slot = 0; slot < kSlots; ++slot) store(seven[slot], u + slot * u_slot(channels / 2) + (c + l) * kColumns + q * kBlock);
      }
    }
  for (int slot = 0; slot < kSlots; ++slot, u += u_slot(channels / 2))
    for (int q = 0; q < kVectors; ++q) start_columns(u + q * kBlock, channels / 2, kColumns, u + channels / 2 * kColumns + q * kBlock);
}

// A thread's share of dW = dYᵀ·X: groups of rows, of blocks of a half of x's channels.
struct Share {
  int64_t begin, end, first_block, last_block;
};

// Adds its products, with dY times `scale`, to du (kSlots, C / 2·kColumns, K / 2, kColumns).
template <Sums kSums, int64_t kHalf>
AUTODIDACT_KERNEL_AVX512 void accumulate(const Matrix<const float>& x, const Matrix<const float>& dy, float scale, const Share& share, float* du,
                                         float* memory) {
  constexpr int64_t kStep = 2 * kHalf;
  const Rows of_x{kHalf, share.last_block - share.first_block}, of_dy{kHalf, dy.blocks / 2};
  Factors<right, kHalf> right_factors(x, 1, share.first_block, of_x.blocks, memory);
  Factors<left_transposed, kHalf> left_factors(dy, scale, 0, of_dy.blocks, memory + right_factors.size(of_x.blocks));
  const int64_t size = x.blocks / 2 * kBlock * of_dy.blocks * kBlock;
  const int64_t calls = kSlots * of_x.blocks / kVectors * of_dy.blocks * kBlock / kRows * kHalf / kBlock;
  right_factors.begin(share.begin * kStep, 1);
  left_factors.begin(share.begin * kStep, 1);
  for (int64_t first = share.begin * kStep; first < share.end * kStep; first += kStep) {
    right_factors.end();
    left_factors.end();
    const int64_t next = first + kStep < share.end * kStep ? first + kStep : std::max(x.rows, dy.rows);
    right_factors.begin(next, calls);
    left_factors.begin(next, calls);
    for (int64_t slot = 0; slot < kSlots; ++slot) {
      const float *v = right_factors.slot(slot), *d = left_factors.slot(slot);
      float *starts_of_v = right_factors.starts(slot), *starts_of_d = left_factors.starts(slot);
      if constexpr (kSums == Sums::paired) start_channels(v, of_x, starts_of_v), start_channels(d, of_dy, starts_of_d);
      for (int64_t c = 0; c < of_x.blocks; c += kVectors)
        add_outer_products<kSums, kVectors>(v, of_x, d, of_dy, c, starts_of_v, starts_of_d, true,
                                            du + slot * size + share.first_block * kBlock * of_dy.blocks * kBlock, [&] {
                                              right_factors.go_on();
                                              left_factors.go_on();
                                            });
    }
  }
}

// dW (K,C) of kColumns of each half of C from c on, from `copies` of du, times `scale`.
AUTODIDACT_KERNEL_AVX512 void gather(const float* du, int64_t copies, float scale, int64_t filters, int64_t channels, int64_t c, float* dw) {
  const int64_t size = filters / 2 * (channels / 2);
  for (int64_t k = 0; k < filters / 2; ++k)
    for (int64_t q = 0; q < kVectors; ++q) {
      Channels seven[kSlots] = {}, four[4];
      for (int64_t copy = 0; copy < copies; ++copy)
        for (int slot = 0; slot < kSlots; ++slot) {
          Channels part;
          load(du + (copy * kSlots + slot) * size + c * (filters / 2) + k * kColumns + q * kBlock, part);
          seven[slot] += part;
        }
      result(seven, four);
      for (int i = 0; i < 4; ++i) store(four[i] * scale, dw + (k + i / 2 * (filters / 2)) * channels + c + q * kBlock + i % 2 * (channels / 2));
    }
}

class StrassenPass {
 public:
  StrassenPass(const Query& query, const ConvolutionGeometry& geometry, Sums sums)
      : sums_(sums), pass_(query.pass), threads_(query.threads), weights_change_(query.weights_change), stride_(geometry.stride_h), w_(query.inputs[1]),
        x_(query.type(query.inputs[0], kBlock)), y_(query.type(query.outputs[0], kBlock)) {}

  bool fits(const ConvolutionGeometry& g) const {
    const bool pointwise = g.groups == 1 && w_[2] == 1 && w_[3] == 1 && g.stride_h == g.stride_w && g.pad_h == 0 && g.pad_w == 0;
    return pointwise && x_.dtype == engine::DType::f32 && w_[0] % (2 * kColumns) == 0 && w_[1] % (2 * kColumns) == 0;
  }

  Candidate candidate() const {
    Candidate candidate;
    candidate.id = "strassen";
    candidate.implementation = sums_ == Sums::paired ? "own_strassen_pairs" : "own_strassen";
    candidate.types = {{pass_ == Pass::backward_data ? d_in(0) : in(0), x_}, {pass_ == Pass::forward ? out() : d_out(), y_}};
    candidate.emit = [*this](Emitter& emitter) {
      if (pass_ != Pass::backward_weights) emit(emitter);
      else if (w_[0] + w_[1] <= kFewChannels) emit_gradient<kGradientHalfGroupOfFew>(emitter);
      else emit_gradient<kGradientHalfGroup>(emitter);
    };
    return candidate;
  }

 private:
  bool back() const { return pass_ == Pass::backward_data; }
  template <class T>
  Matrix<T> matrix_of_x(T* data) const {
    const int64_t high = y_.shape[2], wide = y_.shape[3];
    return {data, y_.shape[0] * high * wide, high, wide, x_.shape[1] / kBlock, x_.shape[2], x_.shape[3], stride_};
  }
  template <class T>
  Matrix<T> matrix_of_y(T* data) const {
    const int64_t high = y_.shape[2], wide = y_.shape[3];
    return {data, y_.shape[0] * high * wide, high, wide, y_.shape[1] / kBlock, high, wide, 1};
  }

  // U.
  Operand filters(Emitter& emitter) const {
    const bool back = this->back();
    const int64_t filters = w_[back ? 1 : 0], channels = w_[back ? 0 : 1], size = u_part(channels / 2);
    const int64_t parts = filters / 2 / kColumns;
    const auto kernel = [=](Lane& lane, const Arguments& a) {
      lane.parallel(parts, [&](int64_t begin, int64_t end, int) {
        for (int64_t part = begin; part < end; ++part)
          pack_filters(a.read<float>(0), back, channels, filters, part * kColumns, a.write<float>(0) + part * size);
      });
    };
    const auto bytes = static_cast<std::size_t>(parts * size) * sizeof(float);
    return emitter.pack_or_make(weights_change_, {{in(1)}, back ? "strassen, turned" : "strassen", bytes, 0, kernel});
  }

  void emit(Emitter& emitter) const {
    const bool back = this->back();
    const int64_t per_thread = Factors<left, kHalfGroup>::size((back ? y_ : x_).shape[1] / kBlock / 2) + Results<false>::size();
    const bool lost = back ? mutated("convolution.fast.strassen.dx") : mutated("convolution.fast.strassen.y");
    const bool gaps = back && stride_ > 1;
    emitter.task({"", {back ? d_out() : in(0), filters(emitter)}, {back ? d_in(0) : out()}, static_cast<std::size_t>(threads_ * per_thread) * sizeof(float),
                  [=, pass = *this](Lane& lane, const Arguments& a) {
                    Matrix<const float> source = back ? pass.matrix_of_y(a.read<float>(0)) : pass.matrix_of_x(a.read<float>(0));
                    if (lost) --source.rows;
                    const Matrix<float> target = back ? pass.matrix_of_x(a.write<float>(0)) : pass.matrix_of_y(a.write<float>(0));
                    Balance balanced;
                    if (pass.sums_ == Sums::paired)
                      balanced = balance(mean_square(source), mean_square_of_w(a.read<float>(1), target.blocks / 2 / kVectors, source.blocks / 2 * kBlock));
                    const auto multiplied = balanced.sums == Sums::paired ? (gaps ? multiply<Sums::paired, true> : multiply<Sums::paired, false>)
                                                                          : (gaps ? multiply<Sums::single, true> : multiply<Sums::single, false>);
                    lane.parallel((target.rows + 2 * kHalfGroup - 1) / (2 * kHalfGroup), [&](int64_t begin, int64_t end, int thread) {
                      multiplied(source, target, a.read<float>(1), balanced.scale, begin, end, a.scratch<float>() + thread * per_thread);
                    });
                  }});
  }

  template <int64_t kHalf>
  void emit_gradient(Emitter& emitter) const {
    constexpr int64_t kMostOfDu = 64 << 20;  // bytes
    const int64_t filters = w_[0], channels = w_[1], du = kSlots * (filters / 2) * (channels / 2), columns = channels / 2 / kColumns;
    const int64_t threads = threads_, groups = (matrix_of_y<const float>(nullptr).rows + 2 * kHalf - 1) / (2 * kHalf);
    // More copies than groups do no harm: a sum of no rows is zeros.
    const Division division = divide(threads, threads, [du](int64_t copies) { return copies * du * static_cast<int64_t>(sizeof(float)) <= kMostOfDu; });
    const int64_t per_thread = Factors<right, kHalf>::size(channels / 2 / kBlock) + Factors<left, kHalf>::size(filters / 2 / kBlock);
    const bool lost = mutated("convolution.fast.strassen.dw");
    const auto kernel = [=, pass = *this](Lane& lane, const Arguments& a) {
      Matrix<const float> x = pass.matrix_of_x(a.read<float>(0));
      const Matrix<const float> dy = pass.matrix_of_y(a.read<float>(1));
      if (lost) --x.rows;
      Balance balanced;
      if (pass.sums_ == Sums::paired) balanced = balance(mean_square(dy), mean_square(x));
      float *sums = a.scratch<float>(), *memory = sums + division.copies * du;
      lane.parallel(division.copies * division.sharers, [&](int64_t begin, int64_t end, int thread) {
        for (int64_t i = begin; i < end; ++i) {
          const Range rows = division.rows(i, groups), share = division.columns(i, columns);
          float* to = sums + division.copy(i) * du;
          for (int64_t slot = 0; slot < kSlots; ++slot) {
            float* part = to + slot * du / kSlots;
            std::fill(part + share.begin * kColumns * filters / 2, part + share.end * kColumns * filters / 2, 0.0F);
          }
          const auto add = balanced.sums == Sums::paired ? accumulate<Sums::paired, kHalf> : accumulate<Sums::single, kHalf>;
          if (share.begin < share.end)
            add(x, dy, balanced.scale, {rows.begin, rows.end, share.begin * kVectors, share.end * kVectors}, to, memory + thread * per_thread);
        }
      });
      lane.parallel(columns, [&](int64_t begin, int64_t end, int) {
        for (int64_t c = begin; c < end; ++c) gather(sums, division.copies, 1 / balanced.scale, filters, channels, c * kColumns, a.write<float>(0));
      });
    };
    emitter.task({"", {in(0), d_out()}, {d_in(1)}, static_cast<std::size_t>(division.copies * du + threads * per_thread) * sizeof(float), kernel});
  }

  Sums sums_;
  Pass pass_;
  int64_t threads_;
  bool weights_change_;
  int64_t stride_;
  Shape w_;
  TensorType x_, y_;
};
}  // namespace

std::vector<Candidate> strassen_candidates(const Query& query, const ConvolutionGeometry& geometry) {
  if (query.only_direct || !engine::onednn::has_avx512()) return {};
  if (std::find(query.blocks.begin(), query.blocks.end(), kBlock) == query.blocks.end()) return {};
  const StrassenPass single(query, geometry, Sums::single), paired(query, geometry, Sums::paired);
  if (!single.fits(geometry)) return {};
  return {single.candidate(), paired.candidate()};
}
}  // namespace autodidact::ops
