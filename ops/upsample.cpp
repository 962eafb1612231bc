#include "ops/upsample.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/mutation.hpp"
#include "ops/interpolation.hpp"
#include "ops/reference/upsample.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

template <class T>
AUTODIDACT_KERNEL void mix_rows(const float* low, const float* high, float weight, T* y,
                                std::int64_t count) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) y[i] = low[i] + weight * (high[i] - low[i]);
}

template <class T>
AUTODIDACT_KERNEL void share_row(const T* dy, float weight, float* low, float* high,
                                 std::int64_t count) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) {
    low[i] += (1 - weight) * dy[i];
    high[i] += weight * dy[i];
  }
}

// Output rows [begin, end), counted over all planes.
template <class T>
void forward_rows(const Interpolation& table, const T* x, T* y, float* buffer,
                  std::int64_t begin, std::int64_t end) {
  const bool wrong = mutated("upsample.fast.y");  // takes λ for 1 − λ
  while (begin < end) {
    const std::int64_t plane = begin / table.out_height, first = begin % table.out_height;
    const std::int64_t last = std::min(table.out_height, first + end - begin);
    ExpandedRows<T> rows(table, x + plane * table.in_plane(), buffer);
    for (std::int64_t h = first; h < last; ++h) {
      const auto [low, high, weight] = rows[h];
      mix_rows(low, high, wrong ? 1 - weight : weight,
               y + plane * table.out_plane() + h * table.out_row, table.out_row);
    }
    begin += last - first;
  }
}

// Whole planes: the rows of dx that two rows of dy share stay within a thread.
template <class T>
void backward_planes(const Interpolation& table, const T* dy, T* dx, float* buffer,
                     std::int64_t begin, std::int64_t end) {
  const bool wrong = mutated("upsample.fast.dx");  // takes λ for 1 − λ
  for (std::int64_t plane = begin; plane < end; ++plane) {
    ContractedRows<T> rows(table, dx + plane * table.in_plane(), buffer);
    for (std::int64_t h = 0; h < table.out_height; ++h) {
      const auto [low, high, weight] = rows[h];
      share_row(dy + plane * table.out_plane() + h * table.out_row, wrong ? 1 - weight : weight,
                low, high, table.out_row);
    }
    rows.finish();
  }
}
}  // namespace

Upsample::Upsample(std::int64_t height_, std::int64_t width_) : height(height_), width(width_) {
  if (height < 1 || width < 1)
    throw std::invalid_argument(
        fmt::format("[upsample] height and width must be at least 1, got {}x{}", height, width));
}

std::string Upsample::describe() const { return fmt::format("upsample {}x{}", height, width); }

std::vector<Shape> Upsample::infer(std::string_view node, std::span<const Shape> inputs) const {
  const Shape& x = inputs[0];
  engine::require(x.rank() == 4 && x[2] >= 1 && x[3] >= 1, kind(), node,
                  "x must be (N,C,H,W) with H, W ≥ 1, got " + x.text());
  return {{x[0], x[1], height, width}};
}

std::vector<engine::BackwardTask> Upsample::backward() const {
  return {{Pass::backward, {d_in(0)}}};
}

void Upsample::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  if (pass == Pass::forward)
    reference::upsample_forward(arguments.inputs[0], arguments.outputs[0]);
  else
    reference::upsample_backward(arguments.d_outputs[0], arguments.d_inputs[0]);
}

std::vector<Candidate> Upsample::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType x = query.type(query.inputs[0], block);
    const TensorType y = query.type(query.outputs[0], block);
    const bool forward = query.pass == Pass::forward;
    const auto table = std::make_shared<const Interpolation>(x, y);
    const std::size_t scratch =
        static_cast<std::size_t>(query.threads * table->buffer_elements()) * sizeof(float);
    Candidate own;
    own.id = "own";
    own.implementation = "own: rows";
    own.types = {{forward ? in(0) : d_in(0), x}, {forward ? out() : d_out(), y}};
    own.emit = [=](Emitter& emitter) {
      const auto kernel = [=](Lane& lane, const Arguments& arguments) {
        const std::int64_t parts = forward ? table->planes * table->out_height : table->planes;
        lane.parallel(parts, [&](std::int64_t begin, std::int64_t end, int thread) {
          float* buffer = arguments.scratch<float>() + thread * table->buffer_elements();
          with_element(x.dtype, [&](auto t) {
            using T = decltype(t);
            (forward ? forward_rows<T> : backward_planes<T>)(*table, arguments.read<T>(0), arguments.write<T>(0), buffer, begin, end);
          });
        });
      };
      if (forward)
        emitter.task({"", {in(0)}, {out()}, scratch, kernel});
      else
        emitter.task({"", {d_out()}, {d_in(0)}, scratch, kernel});
    };
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
