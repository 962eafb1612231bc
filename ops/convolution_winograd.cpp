#include "ops/convolution_winograd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "engine/bf16.hpp"
#include "engine/mutation.hpp"
#include "engine/onednn.hpp"
#include "ops/block_diagonal.hpp"
#include "ops/channel_products.hpp"
#include "ops/winograd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter, engine::in, engine::Lane;
using engine::mutated, engine::Operand, engine::out, engine::Pass, engine::Query, engine::Shape, engine::TensorType, engine::with_element;
using std::int64_t;
using namespace channel_products;

namespace {
constexpr int64_t kTilesAtATime = 32;  // tiles, of which V and M, or V and A·dy·Aᵀ, are kept at a time
constexpr int64_t kMostOfDu = 10 << 20, kMostOfAllDu = 64 << 20;  // bytes, of one and of all: what is larger is not kept for each thread

// Planes (N, all, H, W, 16), of whose blocks these are so many.
template <class T>
struct Planes {
  T* data;
  int64_t blocks, height, width, all;
  T* plane(int64_t n, int64_t block) const { return data + (n * all + block) * height * width * kBlock; }
  Planes of_blocks(int64_t first, int64_t count) const { return {plane(0, first), count, height, width, all}; }
  Planes of_group(int64_t group) const { return of_blocks(group * blocks, blocks); }
};

// How planes are divided into windows.
struct Tiling {
  int64_t images, high, wide;  // tiles in a plane
  int64_t before;              // pixels of the first window that lie before the plane: the padding
  int64_t count() const { return images * high * wide; }
};

// kSize² pixels from (top, left) on, zeros where there are none.
template <int kSize, class T>
inline void load_window(const T* plane, int64_t height, int64_t width, int64_t top, int64_t left, Channels (&window)[kSize][kSize]) {
  alignas(64) static constexpr T kZeros[kBlock] = {};
  for (int i = 0; i < kSize; ++i) {
    const int64_t y = top + i;
    const T* row = plane + y * width * kBlock;
    for (int j = 0; j < kSize; ++j) {
      const int64_t x = left + j;
      load(y >= 0 && y < height && x >= 0 && x < width ? row + x * kBlock : kZeros, window[i][j]);
    }
  }
}

// How much larger than windows is what `axis` makes of them along both axes, in the mean square, where neighbours have nothing to do with each other.
template <int kWindow, int kSlots, class Axis>
inline double gain(Axis axis) {
  Channels window[kWindow] = {}, slots[kSlots];  // in lane i all pixels but the i-th are zeros
  for (int i = 0; i < kWindow; ++i) window[i][i] = 1;
  axis(window, slots);
  double squares = 0;
  for (const Channels& slot : slots)
    for (int i = 0; i < kWindow; ++i) squares += static_cast<double>(slot[i]) * slot[i];
  return squares / kSlots * squares / kSlots;
}

// Along both axes: kFrom × kFrom → kTo × kTo.
template <int kFrom, int kTo, class Axis>
inline void along_both(const Channels (&from)[kFrom][kFrom], Channels (&to)[kTo][kTo], Axis axis) {
  Channels half[kTo][kFrom];
  for (int j = 0; j < kFrom; ++j) {
    Channels column[kFrom], result[kTo];
    for (int i = 0; i < kFrom; ++i) column[i] = from[i][j];
    axis(column, result);
    for (int i = 0; i < kTo; ++i) half[i][j] = result[i];
  }
  for (int i = 0; i < kTo; ++i) axis(half[i], to[i]);
}

template <int kSlots>
inline void scatter(const Channels (&slots)[kSlots][kSlots], float* to, int64_t slot) {
  for (int i = 0; i < kSlots; ++i)
    for (int j = 0; j < kSlots; ++j) store(slots[i][j], to + (i * kSlots + j) * slot);
}

// Which tiles go to which rows: the first `count` from `first` on, and zeros to the rest of `rows`.
struct Part {
  int64_t first, count, rows;
};

// Asks for the pixels that are new in window i of a part, block by block, tile by tile, before they are needed: the rows of a window are short
// and far apart, and the CPU does not guess what comes next.
template <int kStep, class T>
inline void fetch(const Planes<const T>& planes, const Tiling& tiles, const Part& part, int64_t i) {
  if (i >= planes.blocks * part.count) return;
  const int64_t tile = part.first + i % part.count, top = tile / tiles.wide % tiles.high * kStep, left = tile % tiles.wide * kStep;
  const T* plane = planes.plane(tile / (tiles.high * tiles.wide), i / part.count);
  for (int64_t y = top; y < std::min(top + kStep, planes.height); ++y)
    for (int64_t x = left; x < std::min(left + kStep, planes.width); ++x) __builtin_prefetch(plane + (y * planes.width + x) * kBlock);
}

// Windows of kWindow², kStep pixels from each other, times `scale` where sums are paired.
template <Sums kSums, int kWindow, int kStep, int kSlots, class T, class Axis>
inline void transform(const Planes<const T>& planes, float scale, const Tiling& tiles, int64_t before, const Part& part, bool fetched, float* to,
                      const Rows& rows, Axis axis) {
  for (int64_t block = 0; block < planes.blocks; ++block) {
    float* row = to + block * rows.block();
    for (int64_t t = 0; t < part.count; ++t, row += kBlock) {
      if (!fetched) fetch<kStep>(planes, tiles, part, block * part.count + t + tiles.wide + 2);
      const int64_t tile = part.first + t, h = tile / tiles.wide % tiles.high, w = tile % tiles.wide;
      Channels window[kWindow][kWindow], slots[kSlots][kSlots];
      load_window(planes.plane(tile / (tiles.high * tiles.wide), block), planes.height, planes.width, h * kStep - before, w * kStep - before, window);
      if constexpr (kSums == Sums::paired)
        for (auto& row_of_window : window)
          for (Channels& pixel : row_of_window) pixel *= scale;
      along_both<kWindow, kSlots>(window, slots, axis);
      scatter(slots, row, rows.slot());
    }
    for (int64_t t = part.count; t < part.rows; ++t, row += kBlock) {
      const Channels zeros[kSlots][kSlots] = {};
      scatter(zeros, row, rows.slot());
    }
  }
}

// Of U's 16·kVectors filters, one filter value: its channels, and what sums start from. And all of them.
template <int kVectors>
constexpr int64_t u_value(int64_t channels) { return (channels + 1) * kVectors * kBlock; }
template <class Scheme, int kVectors>
constexpr int64_t u_part(int64_t channels) { return Scheme::kFilters * Scheme::kFilters * u_value<kVectors>(channels); }

// Tiles [first, end) of the result, kTilesAtATime together, with `from` times `scale` on the way.
template <Sums kSums, class Scheme, int kVectors, class T>
AUTODIDACT_KERNEL_AVX512 void convolve(const Planes<const T>& from, const Planes<T>& to, const Tiling& tiles, const float* u, float scale, int64_t first,
                                       int64_t end, float* v, float* m) {
  constexpr int kSlots = Scheme::kSlots, kOutputs = Scheme::kOutputs;
  const int64_t channels = from.blocks * kBlock;
  const bool past_caches = static_cast<std::size_t>(tiles.images * to.all * to.height * to.width * kBlock) * sizeof(T) >= kPastCaches;
  const float back = 1 / scale;
  for (bool fetched = false; first < end; first += kTilesAtATime, fetched = true) {
    const int64_t count = std::min(kTilesAtATime, end - first);
    const Part next{first + kTilesAtATime, std::clamp<int64_t>(end - first - kTilesAtATime, 0, kTilesAtATime), 0};
    const Rows of_v{(count + kRows - 1) / kRows * kRows, from.blocks}, of_m{of_v.rows, kVectors};
    transform<kSums, Scheme::kWindow, Scheme::kWindowStep, kSlots>(from, scale, tiles, tiles.before, {first, count, of_v.rows}, fetched, v, of_v,
                                       [](const Channels* window, Channels* slots) { Scheme::analyse(window, slots); });
    // Memory is idle while products are summed: meanwhile it brings the next tiles, a share with each call.
    Pace windows(from.blocks * next.count, to.blocks / kVectors * kSlots * kSlots * (of_v.rows / kRows));
    int64_t asked = 0;
    for (int64_t k = 0; k < to.blocks; k += kVectors) {
      const float* filters = u + k / kVectors * u_part<Scheme, kVectors>(channels);
      for (int i = 0; i < kSlots; ++i)
        for (int j = 0; j < kSlots; ++j) {
          const int64_t slot = i * kSlots + j, filter = Scheme::filter_of(i) * Scheme::kFilters + Scheme::filter_of(j);
          for (int64_t t = 0; t < of_v.rows; t += kRows) {
            for (const int64_t due = windows.due(); asked < due; ++asked) fetch<Scheme::kWindowStep>(from, tiles, next, asked);
            float *rows = v + slot * of_v.slot() + t * kBlock, *starts = v + kSlots * kSlots * of_v.slot() + slot * of_v.starts() + t;
            if (kSums == Sums::paired && k == 0) start_rows(rows, of_v, starts);
            const float* of_filter = filters + filter * u_value<kVectors>(channels);
            multiply_rows<kSums, kVectors>(rows, of_v, of_filter, starts, of_filter + channels * kVectors * kBlock, m + slot * of_m.slot() + t * kBlock, [] {});
          }
        }
      for (int64_t t = 0; t < count; ++t) {
        const int64_t tile = first + t, top = tile / tiles.wide % tiles.high * kOutputs, left = tile % tiles.wide * kOutputs;
        const int64_t below = std::min<int64_t>(kOutputs, to.height - top), right = std::min<int64_t>(kOutputs, to.width - left);
        for (int q = 0; q < kVectors; ++q) {
          Channels slots[kSlots][kSlots], y[kOutputs][kOutputs];
          for (int i = 0; i < kSlots; ++i)
            for (int j = 0; j < kSlots; ++j) load(m + (i * kSlots + j) * of_m.slot() + (q * of_m.rows + t) * kBlock, slots[i][j]);
          along_both<kSlots, kOutputs>(slots, y, [](const Channels* products, Channels* result) { Scheme::synthesise(products, result); });
          T* corner = to.plane(tile / (tiles.high * tiles.wide), k + q) + (top * to.width + left) * kBlock;
          for (int64_t i = 0; i < below; ++i)
            for (int64_t j = 0; j < right; ++j) store(kSums == Sums::paired ? y[i][j] * back : y[i][j], corner + (i * to.width + j) * kBlock, past_caches);
        }
      }
    }
  }
  end_stores();
}

// The taps from one channel to another of the convolution that is computed, in w (K,C,3,3): for dx, which `turned` says, they lead from k to c,
// and from last to first.
struct Taps {
  const float* w;
  int64_t channels;  // C
  bool turned;
  float operator()(int64_t from, int64_t to, int tap) const {
    return turned ? w[(from * channels + to) * 9 + 8 - tap] : w[(to * channels + from) * 9 + tap];
  }
};

// U of the 16·kVectors filters from k on: kFilters², channels and the starts, 16·kVectors.
template <class Scheme, int kVectors>
AUTODIDACT_KERNEL_AVX512 void pack(const Taps& taps, int64_t k, int64_t channels, float* u, bool past_caches) {
  constexpr int kFilters = Scheme::kFilters;
  using Values = Channels[kFilters][kFilters];
  for (int q = 0; q < kVectors; ++q) {
    const auto keep = [&](const Values& values, int64_t row) {
      for (int i = 0; i < kFilters; ++i)
        for (int j = 0; j < kFilters; ++j)
          store(values[i][j], u + (i * kFilters + j) * u_value<kVectors>(channels) + (row * kVectors + q) * kBlock, past_caches);
    };
    const auto make = [&](int64_t c, Values& values) {
      Channels w[3][3];
      for (int64_t l = 0; l < kBlock; ++l)
        for (int tap = 0; tap < 9; ++tap) w[tap / 3][tap % 3][l] = taps(c, k + q * kBlock + l, tap);
      along_both<3, kFilters>(w, values, [](const Channels* tap, Channels* result) { Scheme::filter(tap, result); });
      keep(values, c);
    };
    Values starts = {};
    for (int64_t c = 0; c < channels; c += kBlock)
      for (int64_t term = 0; term < kBlock; term += kPairStep) {
        Values pair[kPairStep];
        for (int64_t i = 0; i < std::min<int64_t>(kPairStep, kBlock - term); ++i) make(c + term + i, pair[i]);
        for (int i = 0; i < kFilters && term < kPairs * kPairStep; ++i)
          for (int j = 0; j < kFilters; ++j) starts[i][j] -= pair[0][i][j] * pair[1][i][j];
      }
    keep(starts, channels);
  }
  end_stores();
}

// ---- the gradient of w ---------------------------------------------------------------------------------------------

template <Sums kSums, class Scheme, class T>
AUTODIDACT_KERNEL_AVX512 void transform_both(const Planes<const T>& x, const Planes<const T>& dy, float scale, const Tiling& tiles, const Part& part, float* v,
                                      const Rows& of_v, float* d, const Rows& of_d) {
  transform<Sums::single, Scheme::kWindow, Scheme::kWindowStep, Scheme::kSlots>(x, 1, tiles, tiles.before, part, false, v, of_v,
                                             [](const Channels* window, Channels* slots) { Scheme::analyse(window, slots); });
  transform<kSums, Scheme::kOutputs, Scheme::kOutputs, Scheme::kSlots>(dy, scale, tiles, 0, part, false, d, of_d,
                                              [](const Channels* tile, Channels* slots) { Scheme::spread(tile, slots); });
}

// du (C / 16·kVectors, K, 16·kVectors) for each filter value, `size` numbers from one to the next, of those channels that v has: = or += the products of
// all rows.
template <Sums kSums, class Scheme, int kVectors>
AUTODIDACT_KERNEL_AVX512 void accumulate(float* v, const Rows& of_v, float* d, const Rows& of_d, bool add, float* du, int64_t size) {
  constexpr int kSlots = Scheme::kSlots, kFilters = Scheme::kFilters;
  std::array<bool, kFilters * kFilters> added;
  added.fill(add);
  for (int slot = 0; slot < kSlots * kSlots; ++slot) {
    const int filter = Scheme::filter_of(slot / kSlots) * kFilters + Scheme::filter_of(slot % kSlots);
    const float *of_slot = v + slot * of_v.slot(), *d_of_slot = d + slot * of_d.slot();
    float *starts = v + kSlots * kSlots * of_v.slot(), *d_starts = d + kSlots * kSlots * of_d.slot();
    if constexpr (kSums == Sums::paired) start_channels(of_slot, of_v, starts), start_channels(d_of_slot, of_d, d_starts);
    for (int64_t c = 0; c < of_v.blocks; c += kVectors)
      add_outer_products<kSums, kVectors>(of_slot, of_v, d_of_slot, of_d, c, starts, d_starts, added[filter], du + filter * size, [] {});
    added[filter] = true;
  }
}

// dw of the filters [begin, end) from the sum of so many du, times `scale`.
template <class Scheme, int kVectors>
AUTODIDACT_KERNEL_AVX512 void gather(const float* du, int64_t copies, float scale, int64_t filters, int64_t channels, int64_t begin, int64_t end, float* dw) {
  constexpr int kFilters = Scheme::kFilters;
  for (int64_t c = 0; c < channels; c += kBlock)
    for (int64_t k = begin; k < end; ++k) {
      Channels u[kFilters][kFilters], w[3][3];
      const float* from = du + (c / (kVectors * kBlock) * filters + k) * kVectors * kBlock + c % (kVectors * kBlock);
      for (int i = 0; i < kFilters * kFilters; ++i) {
        Channels& sum = u[i / kFilters][i % kFilters];
        load(from + i * filters * channels, sum);
        for (int64_t copy = 1; copy < copies; ++copy) {
          Channels more;
          load(from + (copy * kFilters * kFilters + i) * filters * channels, more);
          sum += more;
        }
      }
      along_both<kFilters, 3>(u, w, [](const Channels* value, Channels* tap) { Scheme::gather(value, tap); });
      for (int64_t l = 0; l < kBlock; ++l)
        for (int i = 0; i < 9; ++i) dw[(k * channels + c + l) * 9 + i] = w[i / 3][i % 3][l] * scale;
    }
}

template <class Scheme>
AUTODIDACT_KERNEL_AVX512 double gain_of_x() {
  return gain<Scheme::kWindow, Scheme::kSlots>([](const Channels* window, Channels* slots) { Scheme::analyse(window, slots); });
}
template <class Scheme>
AUTODIDACT_KERNEL_AVX512 double gain_of_dy() {
  return gain<Scheme::kOutputs, Scheme::kSlots>([](const Channels* tile, Channels* slots) { Scheme::spread(tile, slots); });
}
template <class T>
double mean_square(const Planes<const T>& planes, int64_t images) {
  return channel_products::mean_square(planes.data, 1, 0, images * planes.all * planes.height * planes.width);
}

// ---- one pass of one convolution -----------------------------------------------------------------------------------

class WinogradPass {
 public:
  WinogradPass(const Query& query, const ConvolutionGeometry& geometry, Sums sums)
      : sums_(sums), pass_(query.pass), threads_(query.threads), weights_change_(query.weights_change), w_(query.inputs[1]), x_(query.type(query.inputs[0], kBlock)),
        y_(query.type(query.outputs[0], kBlock)), geometry_(geometry), groups_(geometry.groups),
        wide_(BlockDiagonal::fill(geometry.groups, query.inputs[1], kBlock)) {
    if (wide_) w_ = wide_->wide, groups_ = wide_->groups;
  }

  bool fits() const {
    const ConvolutionGeometry& g = geometry_;
    const bool window = w_[2] == 3 && w_[3] == 3 && g.pad_h == 1 && g.pad_w == 1 && g.dilation_h == 1 && g.dilation_w == 1;
    const bool whole_blocks = filters() % kBlock == 0 && channels() % kBlock == 0;
    // Tiles that are mostly outside cost what others save.
    const bool whole_tiles = tiling().count() * 16 <= 2 * y_.shape[0] * y_.shape[2] * y_.shape[3];
    return window && whole_blocks && whole_tiles && g.stride_h == g.stride_w && g.stride_h <= 2;
  }

  Candidate candidate() const {
    Candidate candidate;
    candidate.id = "winograd";
    candidate.implementation = fmt::format("own_wino_4x3{}{}", strided() ? "_s2" : "", sums_ == Sums::paired ? "_pairs" : "");
    candidate.types = {{pass_ == Pass::backward_data ? d_in(0) : in(0), x_}, {pass_ == Pass::forward ? out() : d_out(), y_}};
    candidate.emit = [*this](Emitter& emitter) { emit(emitter); };
    return candidate;
  }

 private:
  bool strided() const { return geometry_.stride_h == 2; }
  // Of a group.
  int64_t filters() const { return w_[0] / groups_; }
  int64_t channels() const { return w_[1]; }

  // Divides groups × parts among threads: calls body(group, begin, end, thread) for parts of one group.
  template <class Body>
  void each_group(Lane& lane, int64_t parts, Body&& body) const {
    lane.parallel(groups_ * parts, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t group = begin / parts; begin < end; begin = ++group * parts)
        body(group, begin - group * parts, std::min(end - group * parts, parts), thread);
    });
  }

  // Calls body with the scheme of this pass.
  template <class Body>
  void with_scheme(Body&& body) const {
    if (pass_ == Pass::backward_data && strided()) body(winograd::StridedBack{});
    else if (strided()) body(winograd::Strided{});
    else body(winograd::Dense{});
  }
  // Calls body with how sums are made.
  template <class Body>
  static void with_sums(Sums sums, Body&& body) {
    if (sums == Sums::paired) body(std::integral_constant<Sums, Sums::paired>{});
    else body(std::integral_constant<Sums, Sums::single>{});
  }
  template <class Body>
  static void with_vectors(int64_t blocks, Body&& body) {
    if (blocks % 2 == 0) body(std::integral_constant<int, 2>{});
    else body(std::integral_constant<int, 1>{});
  }

  Tiling tiling() const {
    const auto tiles = [&](int axis) { return (y_.shape[axis] + 3) / 4; };
    return {y_.shape[0], tiles(2), tiles(3), 1};
  }
  template <class T>
  Planes<T> planes(const TensorType& type, T* data) const {
    const int64_t blocks = type.shape[1] / kBlock;
    return {data, blocks / groups_, type.shape[2], type.shape[3], blocks};
  }

  void emit(Emitter& emitter) const {
    with_scheme([&](auto scheme) {
      with_element(x_.dtype, [&](auto element) {
        using Scheme = decltype(scheme);
        using T = decltype(element);
        if constexpr (requires { Scheme::template gather<float>; }) {
          if (pass_ == Pass::backward_weights) return emit_gradient<Scheme, T>(emitter);
        }
        const bool back = pass_ == Pass::backward_data;
        with_vectors((back ? channels() : filters()) / kBlock, [&](auto vectors) { emit_convolution<Scheme, vectors, T>(emitter, back ? y_ : x_, back ? x_ : y_); });
      });
    });
  }

  // U, one group's after the other. It is four times as large as w: where the weights change with every step, it is not kept longer than it is needed.
  template <class Scheme, int kVectors>
  Operand transformed_filters(Emitter& emitter) const {
    const bool back = pass_ == Pass::backward_data;
    const int64_t filters = back ? channels() : this->filters(), channels = back ? this->filters() : this->channels();
    const int64_t parts = groups_ * filters / (kVectors * kBlock);
    const auto bytes = static_cast<std::size_t>(parts * u_part<Scheme, kVectors>(channels)) * sizeof(float);
    const auto kernel = [filters, channels, parts, back, bytes, of_w = w_[1], wide = wide_](Lane& lane, const Arguments& a) {
      if (wide) wide->spread(lane, a.read<float>(0), a.scratch<float>());
      const float* w = wide ? a.scratch<float>() : a.read<float>(0);
      lane.parallel(parts, [&](int64_t begin, int64_t end, int) {
        for (int64_t part = begin; part < end; ++part) {
          const int64_t group = part * kVectors * kBlock / filters, k = part * kVectors * kBlock % filters;
          pack<Scheme, kVectors>({w + group * filters * channels * 9, of_w, back}, k, channels,
                                 a.write<float>(0) + part * u_part<Scheme, kVectors>(channels), bytes >= kPastCaches);
        }
      });
    };
    return emitter.pack_or_make(weights_change_, {{in(1)}, fmt::format("winograd{}, {} groups", back ? ", turned" : "", groups_), bytes,
                                                  wide_ ? wide_->bytes() : 0, kernel});
  }

  template <class Scheme, int kVectors, class T>
  void emit_convolution(Emitter& emitter, const TensorType& from, const TensorType& to) const {
    const bool back = pass_ == Pass::backward_data;
    Tiling tiles = tiling();
    if (back && strided()) tiles.before = 0;
    const bool displaced = back ? mutated("convolution.fast.winograd.dx") : mutated("convolution.fast.winograd.y");
    if (displaced) tiles.before = 1 - tiles.before;
    const Rows of_v{kTilesAtATime, from.shape[1] / kBlock / groups_}, of_m{kTilesAtATime, kVectors};
    constexpr int64_t kSlots = Scheme::kSlots * Scheme::kSlots;
    const int64_t v = kSlots * (of_v.slot() + of_v.starts()), per_thread = v + kSlots * of_m.slot();
    const int64_t u = to.shape[1] / groups_ / (kVectors * kBlock) * u_part<Scheme, kVectors>(of_v.blocks * kBlock);
    const int64_t parts = (tiles.count() + kRows - 1) / kRows;
    emitter.task({"", {back ? d_out() : in(0), transformed_filters<Scheme, kVectors>(emitter)}, {back ? d_in(0) : out()},
                  static_cast<std::size_t>(threads_ * per_thread) * sizeof(float), [=, pass = *this](Lane& lane, const Arguments& a) {
                    const auto source = pass.planes(from, a.read<T>(0));
                    const auto target = pass.planes(to, a.write<T>(0));
                    Balance balanced;
                    if (pass.sums_ == Sums::paired) {
                      const int64_t value = u_value<kVectors>(of_v.blocks * kBlock), blocks = of_v.blocks * kBlock * kVectors;  // without the starts
                      const double square_of_u = channel_products::mean_square(a.read<float>(1), pass.groups_ * u / value, value, blocks);
                      balanced = balance(gain_of_x<Scheme>() * mean_square(source, tiles.images), square_of_u);
                    }
                    with_sums(balanced.sums, [&](auto sums) {
                      pass.each_group(lane, parts, [&](int64_t group, int64_t begin, int64_t end, int thread) {
                        float* memory = a.scratch<float>() + thread * per_thread;
                        convolve<sums, Scheme, kVectors, T>(source.of_group(group), target.of_group(group), tiles, a.read<float>(1) + group * u, balanced.scale,
                                                            begin * kRows, std::min(end * kRows, tiles.count()), memory, memory + v);
                      });
                    });
                  }});
  }

  // Threads take groups; where these do not share out evenly, several divide one group's tiles and x's channels.
  template <class Scheme, class T>
  void emit_gradient(Emitter& emitter) const {
    Tiling tiles = tiling();
    if (mutated("convolution.fast.winograd.dw")) tiles.before = 0;
    constexpr int64_t kSlots = Scheme::kSlots * Scheme::kSlots, kValues = Scheme::kFilters * Scheme::kFilters;
    const int64_t filters = this->filters(), channels = this->channels(), count = tiles.count(), blocks = channels / kBlock;
    const int64_t value = filters * channels, du = kValues * value, of_group = threads_ / std::gcd(threads_, groups_);
    const Division division = divide(of_group, count, [&](int64_t copies) {
      const int64_t bytes = du * static_cast<int64_t>(sizeof(float));
      return bytes <= kMostOfDu && groups_ * copies * bytes <= kMostOfAllDu;
    });
    const int64_t rows = std::min(kTilesAtATime, ((count + division.copies - 1) / division.copies + kBlock - 1) / kBlock * kBlock);
    const int64_t most_blocks = std::min(blocks, (blocks + division.sharers - 1) / division.sharers + 1);  // of x, for one thread
    const Rows of_d{rows, filters / kBlock};
    const Rows of_most{rows, most_blocks};
    const int64_t v = kSlots * of_most.slot() + of_most.starts(), d = kSlots * of_d.slot() + of_d.starts(), sums = groups_ * division.copies * du;
    const auto kernel = [=, pass = *this](Lane& lane, const Arguments& a) {
      const auto x = pass.planes(pass.x_, a.read<T>(0)), dy = pass.planes(pass.y_, a.read<T>(1));
      float* const memory = a.scratch<float>() + sums;
      float* const dw = pass.wide_ ? memory + pass.threads_ * (v + d) : a.write<float>(0);
      Balance balanced;
      if (pass.sums_ == Sums::paired)
        balanced = balance(gain_of_dy<Scheme>() * mean_square(dy, tiles.images), gain_of_x<Scheme>() * mean_square(x, tiles.images));
      const auto multiply = [&](auto of_sums, auto vectors) {
        pass.each_group(lane, of_group, [&](int64_t group, int64_t begin, int64_t end, int thread) {
          float *of_x = memory + thread * (v + d), *of_dy = of_x + v;
          for (int64_t part = begin; part < end; ++part) {
            const Range part_tiles = division.rows(part, count), share = division.columns(part, blocks / vectors);
            const Rows of_v{rows, (share.end - share.begin) * vectors};
            float* sum = a.scratch<float>() + (group * division.copies + division.copy(part)) * du + share.begin * vectors * kBlock * filters;
            for (int64_t first = part_tiles.begin; first < part_tiles.end && of_v.blocks > 0; first += rows) {
              transform_both<of_sums, Scheme, T>(x.of_group(group).of_blocks(share.begin * vectors, of_v.blocks), dy.of_group(group), balanced.scale, tiles,
                                        {first, std::min(rows, part_tiles.end - first), rows}, of_x, of_v, of_dy, of_d);
              accumulate<of_sums, Scheme, vectors>(of_x, of_v, of_dy, of_d, first > part_tiles.begin, sum, value);
            }
          }
        });
        pass.each_group(lane, filters, [&](int64_t group, int64_t begin, int64_t end, int) {
          gather<Scheme, vectors>(a.scratch<float>() + group * division.copies * du, division.copies, 1 / balanced.scale, filters, channels, begin, end,
                                  dw + group * filters * channels * 9);
        });
      };
      with_sums(balanced.sums, [&](auto of_sums) { with_vectors(blocks, [&](auto vectors) { multiply(of_sums, vectors); }); });
      if (pass.wide_) pass.wide_->gather(lane, dw, a.write<float>(0));
    };
    const auto bytes = static_cast<std::size_t>(sums + threads_ * (v + d)) * sizeof(float) + (wide_ ? wide_->bytes() : 0);
    emitter.task({"", {in(0), d_out()}, {d_in(1)}, bytes, kernel});
  }

  Sums sums_;
  Pass pass_;
  int64_t threads_;
  bool weights_change_;
  Shape w_;
  TensorType x_, y_;
  ConvolutionGeometry geometry_;
  int64_t groups_;
  std::optional<BlockDiagonal> wide_;  // groups of few channels put together
};
}  // namespace

std::vector<Candidate> winograd_candidates(const Query& query, const ConvolutionGeometry& geometry) {
  if (query.only_direct || !engine::onednn::has_avx512()) return {};
  if (std::find(query.blocks.begin(), query.blocks.end(), kBlock) == query.blocks.end()) return {};
  const WinogradPass single(query, geometry, Sums::single), paired(query, geometry, Sums::paired);
  if (!single.fits()) return {};
  return {single.candidate(), paired.candidate()};
}
}  // namespace autodidact::ops
