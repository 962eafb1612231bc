#include "ops/average_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "engine/mutation.hpp"
#include "ops/reference/average_pool.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

struct Pool : PoolPlanes {
  Pool(const PoolWindow& window_, const TensorType& x, bool flatten_)
      : PoolPlanes(window_, x), flatten(flatten_) {}
  // Where y holds row oh of a channel of a plane when it is flattened: out_width numbers.
  std::int64_t flat_row(std::int64_t plane, std::int64_t channel_in_block, std::int64_t oh) const {
    const std::int64_t sample = plane / channel_blocks;
    const std::int64_t channel = plane % channel_blocks * block + channel_in_block;
    return ((sample * channels + channel) * out_height + oh) * out_width;
  }
  // Channels of this plane that are not padding.
  std::int64_t used(std::int64_t plane) const {
    return std::min(block, channels - plane % channel_blocks * block);
  }
  bool flatten;
};

// One tap over a row of outputs: sum[o] += x[o·stride], or its transpose. kBlock 0: any block.
template <int kBlock, bool kTranspose, class X, class Row>
void add_tap(X* x, Row* __restrict row, std::int64_t begin,
             std::int64_t end, std::int64_t stride, std::int64_t block) {
  const std::int64_t b = kBlock ? kBlock : block;
  const auto add = [&](std::int64_t o, std::int64_t i) {
    if constexpr (kTranspose)
      x[i] += row[o];
    else
      row[o] += x[i];
  };
  if constexpr (kBlock == 1) {
#pragma GCC ivdep
    for (std::int64_t o = begin; o < end; ++o) add(o, o * stride);
  } else {
    for (std::int64_t o = begin; o < end; ++o)
#pragma GCC ivdep
#pragma GCC unroll 1
      for (std::int64_t c = 0; c < b; ++c) add(o * b + c, o * stride * b + c);
  }
}

template <bool kTranspose, class Plane, class Row>
void add_taps(const Pool& pool, Plane* plane, Row* row, std::int64_t oh) {
  pool.for_each_tap(oh, [&](auto, auto, auto first, auto from, auto to) {
    const std::int64_t stride = pool.window.stride;
    switch (pool.block) {
      case 16:
        return add_tap<16, kTranspose>(plane + first, row, from, to, stride, 16);
      case 8:
        return add_tap<8, kTranspose>(plane + first, row, from, to, stride, 8);
      case 1:
        return add_tap<1, kTranspose>(plane + first, row, from, to, stride, 1);
      default:
        return add_tap<0, kTranspose>(plane + first, row, from, to, stride, pool.block);
    }
  });
}

float share_of_window(const PoolWindow& window, bool wrong) {
  const auto size = static_cast<float>(window.size);
  return 1.0F / (wrong ? size : size * size);
}

// Output rows [begin, end), counted over all planes; `sums` has room for one.
template <class X, class Y>
AUTODIDACT_KERNEL void forward_rows(const Pool& pool, const X* x, Y* y, float* sums,
                                    std::int64_t begin, std::int64_t end) {
  const float share = share_of_window(pool.window, mutated("average_pool.fast.y"));
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t plane = row / pool.out_height, oh = row % pool.out_height;
    std::fill(sums, sums + pool.out_row(), 0.0F);
    add_taps<false>(pool, x + plane * pool.in_plane(), sums, oh);
    if (pool.flatten) {
      for (std::int64_t c = 0; c < pool.used(plane); ++c)
        for (std::int64_t o = 0; o < pool.out_width; ++o)
          y[pool.flat_row(plane, c, oh) + o] = share * sums[o * pool.block + c];
    } else {
      Y* __restrict out_row = y + row * pool.out_row();
      for (std::int64_t i = 0; i < pool.out_row(); ++i) out_row[i] = share * sums[i];
    }
  }
}

// Whole planes [begin, end): windows of neighbouring rows may overlap. `shares` has room for one row of outputs, and
// `sums`, where dx is not f32 itself, for one plane.
template <class Y, class X>
AUTODIDACT_KERNEL void backward_planes(const Pool& pool, const Y* dy, X* dx, float* shares, float* sums, std::int64_t begin,
                                       std::int64_t end) {
  const float share = share_of_window(pool.window, mutated("average_pool.fast.dx"));
  for (std::int64_t plane = begin; plane < end; ++plane) {
    X* dx_plane = dx + plane * pool.in_plane();
    if constexpr (std::is_same_v<X, float>) sums = dx_plane;
    std::fill(sums, sums + pool.in_plane(), 0.0F);
    for (std::int64_t oh = 0; oh < pool.out_height; ++oh) {
      if (pool.flatten) {
        std::fill(shares, shares + pool.out_row(), 0.0F);
        for (std::int64_t c = 0; c < pool.used(plane); ++c)
          for (std::int64_t o = 0; o < pool.out_width; ++o)
            shares[o * pool.block + c] = share * dy[pool.flat_row(plane, c, oh) + o];
      } else {
        const Y* dy_row = dy + plane * pool.out_plane() + oh * pool.out_row();
        for (std::int64_t i = 0; i < pool.out_row(); ++i) shares[i] = share * dy_row[i];
      }
      add_taps<true>(pool, sums, shares, oh);
    }
    if constexpr (!std::is_same_v<X, float>) std::copy(sums, sums + pool.in_plane(), dx_plane);
  }
}

// X: of the planes. Y: of what was pooled; flattened it is f32.
template <class X, class Y>
void emit(Emitter& emitter, const Pool& pool, bool forward, int threads) {
  const auto floats = [](std::int64_t count) { return engine::aligned(static_cast<std::size_t>(count) * sizeof(float)) / sizeof(float); };
  const std::size_t row = floats(pool.out_row());
  const std::size_t room = row + (forward || std::is_same_v<X, float> ? 0 : floats(pool.in_plane()));  // of a thread
  const auto kernel = [=](Lane& lane, const Arguments& arguments) {
    const std::int64_t parts = forward ? pool.planes * pool.out_height : pool.planes;
    lane.parallel(parts, [&](std::int64_t begin, std::int64_t end, int thread) {
      auto* own = arguments.scratch<float>() + static_cast<std::size_t>(thread) * room;
      if (forward) forward_rows(pool, arguments.read<X>(0), arguments.write<Y>(0), own, begin, end);
      else backward_planes(pool, arguments.read<Y>(0), arguments.write<X>(0), own, own + row, begin, end);
    });
  };
  const std::size_t scratch = static_cast<std::size_t>(threads) * room * sizeof(float);
  if (forward)
    emitter.task({"", {in(0)}, {out()}, scratch, kernel});
  else
    emitter.task({"", {d_out()}, {d_in(0)}, scratch, kernel});
}
}  // namespace

AveragePool::AveragePool(std::int64_t size, std::int64_t stride, std::int64_t pad, bool flatten_)
    : window{size, stride, pad}, flatten(flatten_) {
  window.check(kind());
}

std::string AveragePool::describe() const {
  return fmt::format("average_pool window {} stride {} pad {}{}", window.size, window.stride,
                     window.pad, flatten ? " flatten" : "");
}

std::vector<Shape> AveragePool::infer(std::string_view node, std::span<const Shape> inputs) const {
  const Shape pooled = window.infer(kind(), node, inputs[0]);
  if (flatten) return {{pooled[0], pooled[1] * pooled[2] * pooled[3]}};
  return {pooled};
}

std::vector<engine::BackwardTask> AveragePool::backward() const {
  return {{Pass::backward, {d_in(0)}}};
}

void AveragePool::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  const Shape pooled = window.infer(kind(), "", arguments.inputs[0].shape);
  if (pass == Pass::forward)
    reference::average_pool_forward(window, pooled, arguments.inputs[0], arguments.outputs[0]);
  else
    reference::average_pool_backward(window, pooled, arguments.d_outputs[0], arguments.d_inputs[0]);
}

std::vector<Candidate> AveragePool::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  const bool forward = query.pass == Pass::forward;
  for (const std::int64_t block : query.blocks) {
    const TensorType x = query.type(query.inputs[0], block);
    Candidate own;
    own.id = "own";
    own.implementation = "own: tap by tap";
    own.types = {{forward ? in(0) : d_in(0), x}};
    if (!flatten)
      own.types.push_back({forward ? out() : d_out(), query.type(query.outputs[0], block)});
    own.emit = [=, pool = Pool(window, x, flatten), threads = query.threads](Emitter& emitter) {
      with_element(x.dtype, [&](auto t) {
        using X = decltype(t);
        if (pool.flatten) emit<X, float>(emitter, pool, forward, threads);
        else emit<X, X>(emitter, pool, forward, threads);
      });
    };
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
