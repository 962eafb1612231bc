#include "ops/global_average.hpp"

#include <algorithm>

#include "engine/mutation.hpp"
#include "ops/reference/global_average.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

struct Planes {
  explicit Planes(const TensorType& x)
      : count(x.shape[0] * x.channel_blocks()),
        channel_blocks(x.channel_blocks()),
        block(x.format.block),
        channels(x.shape[1]),
        height(x.shape[2]),
        pixels(x.shape[2] * x.shape[3]) {}
  // y[first_channel(plane)] … belongs to the plane's used(plane) channels; the rest of the block is padding.
  std::int64_t first_channel(std::int64_t plane) const {
    return plane / channel_blocks * channels + plane % channel_blocks * block;
  }
  std::int64_t used(std::int64_t plane) const {
    return std::min(block, channels - plane % channel_blocks * block);
  }
  std::int64_t count, channel_blocks, block, channels, height, pixels;
};

// f32 sums of at most this many numbers are added up in f64, so that large planes lose nothing.
constexpr std::int64_t kChunk = 1024;

// Σ of contiguous numbers, in sixteen sums side by side that are then added in order.
template <class T>
double sum_of_plane(const T* x, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;
  double total = 0;
  for (std::int64_t from = 0; from < count; from += kChunk) {
    const std::int64_t to = std::min(count, from + kChunk);
    const std::int64_t whole = from + (to - from) / kLanes * kLanes;
    float sums[kLanes] = {};
    for (std::int64_t i = from; i < whole; i += kLanes)
#pragma GCC unroll 1
      for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += x[i + lane];
    for (const float sum : sums) total += sum;
    for (std::int64_t i = whole; i < to; ++i) total += static_cast<double>(x[i]);
  }
  return total;
}

// sums[c] += Σ of channel c over the pixels [from, to). kBlock 0: any block.
template <int kBlock, class T>
void add_pixels(const T* x, float* __restrict sums, std::int64_t from, std::int64_t to,
                std::int64_t block) {
  const std::int64_t b = kBlock ? kBlock : block;
  for (std::int64_t p = from; p < to; ++p)
#pragma GCC unroll 1
    for (std::int64_t c = 0; c < b; ++c) sums[c] += x[p * b + c];
}

// `totals` and `sums`: one number a channel of the block.
template <class T>
void sum_of_channels(const Planes& planes, const T* x, double* totals, float* sums) {
  const std::int64_t b = planes.block;
  std::fill(totals, totals + b, 0.0);
  for (std::int64_t from = 0; from < planes.pixels; from += kChunk) {
    const std::int64_t to = std::min(planes.pixels, from + kChunk);
    std::fill(sums, sums + b, 0.0F);
    switch (b) {
      case 16:
        add_pixels<16>(x, sums, from, to, 16);
        break;
      case 8:
        add_pixels<8>(x, sums, from, to, 8);
        break;
      default:
        add_pixels<0>(x, sums, from, to, b);
    }
    for (std::int64_t c = 0; c < b; ++c) totals[c] += sums[c];
  }
}

template <class T>
AUTODIDACT_KERNEL void forward_planes(const Planes& planes, const T* x, float* y,
                                      double* totals, float* sums, std::int64_t begin,
                                      std::int64_t end) {
  const bool wrong = mutated("global_average.fast.y");  // divides by the height alone
  const double share = 1.0 / static_cast<double>(wrong ? planes.height : planes.pixels);
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const T* x_plane = x + plane * planes.pixels * planes.block;
    if (planes.block == 1)
      totals[0] = sum_of_plane(x_plane, planes.pixels);
    else
      sum_of_channels(planes, x_plane, totals, sums);
    for (std::int64_t c = 0; c < planes.used(plane); ++c)
      y[planes.first_channel(plane) + c] = static_cast<float>(share * totals[c]);
  }
}

template <class T>
AUTODIDACT_KERNEL void backward_planes(const Planes& planes, const float* dy, T* dx,
                                       float* shares, std::int64_t begin, std::int64_t end) {
  const bool wrong = mutated("global_average.fast.dx");  // forgets to divide
  const float share = 1.0F / static_cast<float>(wrong ? 1 : planes.pixels);
  for (std::int64_t plane = begin; plane < end; ++plane) {
    std::fill(shares, shares + planes.block, 0.0F);  // padded channels get zeros
    for (std::int64_t c = 0; c < planes.used(plane); ++c)
      shares[c] = share * dy[planes.first_channel(plane) + c];
    T* dx_plane = dx + plane * planes.pixels * planes.block;
    if (planes.block == 1) {
      std::fill(dx_plane, dx_plane + planes.pixels, T(shares[0]));
    } else {
      for (std::int64_t p = 0; p < planes.pixels; ++p)
        std::copy(shares, shares + planes.block, dx_plane + p * planes.block);
    }
  }
}

template <class T>
void emit(Emitter& emitter, const Planes& planes, bool forward, int threads) {
  const auto block = static_cast<std::size_t>(planes.block);
  const std::size_t totals_bytes = engine::aligned(block * sizeof(double));
  const std::size_t bytes = totals_bytes + engine::aligned(block * sizeof(float));  // of a thread
  const auto kernel = [=](Lane& lane, const Arguments& arguments) {
    lane.parallel(planes.count, [&](std::int64_t begin, std::int64_t end, int thread) {
      auto* scratch = arguments.scratch<std::byte>() + static_cast<std::size_t>(thread) * bytes;
      auto* totals = reinterpret_cast<double*>(scratch);
      auto* sums = reinterpret_cast<float*>(scratch + totals_bytes);
      if (forward)
        forward_planes(planes, arguments.read<T>(0), arguments.write<float>(0), totals, sums, begin, end);
      else
        backward_planes(planes, arguments.read<float>(0), arguments.write<T>(0), sums, begin, end);
    });
  };
  const std::size_t scratch = static_cast<std::size_t>(threads) * bytes;
  if (forward)
    emitter.task({"", {in(0)}, {out()}, scratch, kernel});
  else
    emitter.task({"", {d_out()}, {d_in(0)}, scratch, kernel});
}
}  // namespace

std::vector<Shape> GlobalAverage::infer(std::string_view node,
                                        std::span<const Shape> inputs) const {
  const Shape& x = inputs[0];
  engine::require(x.rank() == 4 && x[2] >= 1 && x[3] >= 1, kind(), node,
                  "x must be (N,C,H,W) with H, W ≥ 1, got " + x.text());
  return {{x[0], x[1]}};
}

std::vector<engine::BackwardTask> GlobalAverage::backward() const {
  return {{Pass::backward, {d_in(0)}}};
}

void GlobalAverage::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  if (pass == Pass::forward)
    reference::global_average_forward(arguments.inputs[0], arguments.outputs[0]);
  else
    reference::global_average_backward(arguments.d_outputs[0], arguments.d_inputs[0]);
}

std::vector<Candidate> GlobalAverage::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  const bool forward = query.pass == Pass::forward;
  for (const std::int64_t block : query.blocks) {
    const TensorType x = query.type(query.inputs[0], block);
    Candidate own;
    own.id = "own";
    own.implementation = "own: one sweep";
    own.types = {{forward ? in(0) : d_in(0), x}};
    own.emit = [=, planes = Planes(x), threads = query.threads](Emitter& emitter) {
      with_element(x.dtype, [&](auto t) { emit<decltype(t)>(emitter, planes, forward, threads); });
    };
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
