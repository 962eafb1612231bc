#include "ops/max_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "engine/mutation.hpp"
#include "ops/reference/max_pool.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::kept, engine::Lane, engine::mutated, engine::out, engine::Pass;
using engine::Query, engine::Shape, engine::TensorType, engine::with_element;

namespace {

constexpr std::int64_t kLargestWindow = 16;  // its 256 places fit a byte

// Lets one tap compete in a row of outputs. place: the winner so far, −1 none. kBlock 0: any block.
template <int kBlock, class T>
void compete(const T* x, T* __restrict y, std::int32_t* __restrict place, std::int32_t tap,
             std::int64_t begin, std::int64_t end, std::int64_t stride, std::int64_t block) {
  const float sign = mutated("max_pool.fast.y") ? -1.0F : 1.0F;  // the smallest
  const std::int64_t b = kBlock ? kBlock : block;
  const auto contest = [&](std::int64_t i, float value) {
    const bool wins = (place[i] < 0) | (sign * value > sign * y[i]) | (value != value);
    y[i] = wins ? value : static_cast<float>(y[i]);
    place[i] = wins ? tap : place[i];
  };
  if constexpr (kBlock == 1) {
    for (std::int64_t o = begin; o < end; ++o) contest(o, x[o * stride]);
  } else {
    for (std::int64_t o = begin; o < end; ++o)
#pragma GCC unroll 1
      for (std::int64_t c = 0; c < b; ++c) contest(o * b + c, x[o * stride * b + c]);
  }
}

// Output rows [begin, end), counted over all planes. `places` (a byte an output) is null in inference.
template <int kBlock, class T>
void forward(const PoolPlanes& pool, const T* x, T* y, std::uint8_t* places,
             std::int32_t* place, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const T* plane = x + row / pool.out_height * pool.in_plane();
    T* out_row = y + row * pool.out_row();
    std::fill(place, place + pool.out_row(), -1);
    pool.for_each_tap(row % pool.out_height, [&](auto r, auto s, auto first, auto from, auto to) {
      compete<kBlock>(plane + first, out_row, place,
                      static_cast<std::int32_t>(r * pool.window.size + s), from, to,
                      pool.window.stride, pool.block);
    });
    if (!places) continue;
    std::uint8_t* place_row = places + row * pool.out_row();
    for (std::int64_t i = 0; i < pool.out_row(); ++i)
      place_row[i] = static_cast<std::uint8_t>(place[i]);
  }
}

// Gives a row of dy to those inputs that won by this tap.
template <int kBlock, class T>
void award(const T* dy, const std::int32_t* place, float* __restrict dx, std::int32_t tap,
           std::int64_t begin, std::int64_t end, std::int64_t stride, std::int64_t block) {
  const std::int64_t b = kBlock ? kBlock : block;
  if constexpr (kBlock == 1) {
    for (std::int64_t o = begin; o < end; ++o) dx[o * stride] += place[o] == tap ? static_cast<float>(dy[o]) : 0.0F;
  } else {
    for (std::int64_t o = begin; o < end; ++o)
#pragma GCC unroll 1
      for (std::int64_t c = 0; c < b; ++c)
        dx[o * stride * b + c] += place[o * b + c] == tap ? static_cast<float>(dy[o * b + c]) : 0.0F;
  }
}

// Whole planes [begin, end): windows of neighbouring rows overlap. place: a row of places, widened so that the innermost
// loop has numbers of one width. sums: of a plane, where dx is not f32 itself.
template <int kBlock, class T>
void backward(const PoolPlanes& pool, const T* dy, const std::uint8_t* places, T* dx,
              std::int32_t* place, float* sums, std::int64_t begin, std::int64_t end) {
  const bool wrong = mutated("max_pool.fast.dx");  // reads a place as s·window + r
  for (std::int64_t plane = begin; plane < end; ++plane) {
    T* dx_plane = dx + plane * pool.in_plane();
    if constexpr (std::is_same_v<T, float>) sums = dx_plane;
    std::fill(sums, sums + pool.in_plane(), 0.0F);
    for (std::int64_t oh = 0; oh < pool.out_height; ++oh) {
      const std::int64_t row = plane * pool.out_plane() + oh * pool.out_row();
      std::copy(places + row, places + row + pool.out_row(), place);
      pool.for_each_tap(oh, [&](auto r, auto s, auto first, auto from, auto to) {
        const auto tap = wrong ? s * pool.window.size + r : r * pool.window.size + s;
        award<kBlock>(dy + row, place, sums + first, static_cast<std::int32_t>(tap), from, to,
                      pool.window.stride, pool.block);
      });
    }
    if constexpr (!std::is_same_v<T, float>) std::copy(sums, sums + pool.in_plane(), dx_plane);
  }
}

template <class T>
AUTODIDACT_KERNEL void forward_rows(const PoolPlanes& pool, const T* x, T* y,
                                    std::uint8_t* places, std::int32_t* place, std::int64_t begin,
                                    std::int64_t end) {
  switch (pool.block) {
    case 16:
      return forward<16>(pool, x, y, places, place, begin, end);
    case 8:
      return forward<8>(pool, x, y, places, place, begin, end);
    case 1:
      return forward<1>(pool, x, y, places, place, begin, end);
    default:
      return forward<0>(pool, x, y, places, place, begin, end);
  }
}

template <class T>
AUTODIDACT_KERNEL void backward_planes(const PoolPlanes& pool, const T* dy,
                                       const std::uint8_t* places, T* dx, std::int32_t* place, float* sums,
                                       std::int64_t begin, std::int64_t end) {
  switch (pool.block) {
    case 16:
      return backward<16>(pool, dy, places, dx, place, sums, begin, end);
    case 8:
      return backward<8>(pool, dy, places, dx, place, sums, begin, end);
    case 1:
      return backward<1>(pool, dy, places, dx, place, sums, begin, end);
    default:
      return backward<0>(pool, dy, places, dx, place, sums, begin, end);
  }
}

// A thread's scratch: one row of places as integers, in whole cache lines; backward in bf16 the sums of a plane behind it.
std::int64_t row_of_places(const PoolPlanes& pool) {
  const auto bytes = static_cast<std::size_t>(pool.out_row()) * sizeof(std::int32_t);
  return static_cast<std::int64_t>(engine::aligned(bytes) / sizeof(std::int32_t));
}

std::int64_t plane_of_sums(const PoolPlanes& pool) {
  return static_cast<std::int64_t>(engine::aligned(static_cast<std::size_t>(pool.in_plane()) * sizeof(float)) / sizeof(float));
}

template <class T>
void emit_forward(Emitter& emitter, const PoolPlanes& pool, bool keeps, std::size_t scratch) {
  std::vector<engine::Operand> writes{out()};
  if (keeps) writes.push_back(kept(0));
  emitter.task({"", {in(0)}, writes, scratch, [=](Lane& lane, const Arguments& arguments) {
                  auto* places = keeps ? arguments.write<std::uint8_t>(1) : nullptr;
                  lane.parallel(pool.planes * pool.out_height, [&](std::int64_t begin,
                                                                   std::int64_t end, int thread) {
                    auto* place = arguments.scratch<std::int32_t>();
                    forward_rows(pool, arguments.read<T>(0), arguments.write<T>(0), places,
                                 place + thread * row_of_places(pool), begin, end);
                  });
                }});
}

template <class T>
void emit_backward(Emitter& emitter, const PoolPlanes& pool, int threads) {
  const std::int64_t row = row_of_places(pool), room = row + (std::is_same_v<T, float> ? 0 : plane_of_sums(pool));
  const std::size_t scratch = static_cast<std::size_t>(threads * room) * sizeof(float);
  emitter.task(
      {"", {d_out(), kept(0)}, {d_in(0)}, scratch, [=](Lane& lane, const Arguments& arguments) {
         lane.parallel(pool.planes, [&](std::int64_t begin, std::int64_t end, int thread) {
           auto* place = arguments.scratch<std::int32_t>() + thread * room;
           backward_planes(pool, arguments.read<T>(0), arguments.read<std::uint8_t>(1), arguments.write<T>(0), place,
                           reinterpret_cast<float*>(place + row), begin, end);
         });
       }});
}
}  // namespace

MaxPool::MaxPool(std::int64_t size, std::int64_t stride, std::int64_t pad)
    : window{size, stride, pad} {
  window.check(kind());
  if (size > kLargestWindow)
    throw std::invalid_argument(
        fmt::format("[max_pool] window must be at most {}, got {}", kLargestWindow, size));
}

std::string MaxPool::describe() const {
  return fmt::format("max_pool window {} stride {} pad {}", window.size, window.stride, window.pad);
}

std::vector<Shape> MaxPool::infer(std::string_view node, std::span<const Shape> inputs) const {
  return {window.infer(kind(), node, inputs[0])};
}

std::vector<engine::BackwardTask> MaxPool::backward() const {
  return {{Pass::backward, {d_in(0)}}};
}

std::vector<Shape> MaxPool::reference_keeps(std::span<const Shape> inputs) const {
  return {window.infer(kind(), "", inputs[0])};
}

void MaxPool::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  if (pass == Pass::forward)
    reference::max_pool_forward(window, arguments.replay, arguments.inputs[0], arguments.outputs[0],
                                arguments.kept[0]);
  else
    reference::max_pool_backward(arguments.kept[0], arguments.d_outputs[0], arguments.d_inputs[0]);
}

std::vector<Candidate> MaxPool::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType x = query.type(query.inputs[0], block);
    const TensorType y = query.type(query.outputs[0], block);
    const bool keeps = query.mode == engine::Mode::train || query.needs_gradient[0];
    Candidate own;
    own.id = "own";
    own.implementation = "own: tap by tap";
    if (keeps) {
      own.keeps = {{y.shape, engine::DType::u8, y.format}};
      own.keeps_key = "places " + y.layout_text();
    }
    const PoolPlanes pool(window, x);
    const std::size_t scratch =
        static_cast<std::size_t>(query.threads * row_of_places(pool)) * sizeof(std::int32_t);
    if (query.pass == Pass::forward) {
      own.types = {{in(0), x}, {out(), y}};
      own.emit = [=](Emitter& emitter) {
        with_element(x.dtype, [&](auto t) { emit_forward<decltype(t)>(emitter, pool, keeps, scratch); });
      };
    } else {
      own.types = {{d_out(), y}, {d_in(0), x}};
      own.emit = [=, threads = query.threads](Emitter& emitter) {
        with_element(x.dtype, [&](auto t) { emit_backward<decltype(t)>(emitter, pool, threads); });
      };
    }
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
