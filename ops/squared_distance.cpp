#include "ops/squared_distance.hpp"

#include <fmt/format.h>

#include <numeric>

#include "engine/mutation.hpp"
#include "ops/reference/squared_distance.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Role, engine::Shape;

namespace {

// sums[n] = Σ_f (a−b)² of row n, in f64: there are 2.6e5 terms in a batch of 128 with 2048 features.
AUTODIDACT_KERNEL void squared_row_sums(const float* a, const float* b, std::int64_t features,
                                        std::int64_t begin, std::int64_t end, double* sums) {
  const bool wrong = mutated("squared_distance.fast.s");  // an unsquared difference
  constexpr std::int64_t kWidth = 16;
  for (std::int64_t n = begin; n < end; ++n) {
    const float *x = a + n * features, *y = b + n * features;
    double side_by_side[kWidth] = {};
    double sum = 0;
    std::int64_t f = 0;
    for (; f + kWidth <= features; f += kWidth)
      for (std::int64_t i = 0; i < kWidth; ++i) {
        const double difference = x[f + i] - y[f + i];
        side_by_side[i] += difference * difference;
      }
    for (; f < features; ++f) {
      const double difference = x[f] - y[f];
      sum += wrong ? difference : difference * difference;
    }
    for (const double part : side_by_side) sum += part;
    sums[n] = sum;
  }
}

AUTODIDACT_KERNEL void scaled_differences(const float* a, const float* b, float scale,
                                          std::int64_t begin, std::int64_t end, float* da) {
  for (std::int64_t i = begin; i < end; ++i) da[i] = scale * (a[i] - b[i]);
}

void emit_forward(Emitter& emitter, std::int64_t rows, std::int64_t features) {
  const std::size_t scratch = static_cast<std::size_t>(rows) * sizeof(double);
  emitter.task({"",
                {in(SquaredDistance::kA), in(SquaredDistance::kTeacher)},
                {out()},
                scratch,
                [=](Lane& lane, const Arguments& arguments) {
                  auto* sums = arguments.scratch<double>();
                  lane.parallel(rows, [&](std::int64_t begin, std::int64_t end, int) {
                    squared_row_sums(arguments.read<float>(0), arguments.read<float>(1), features,
                                     begin, end, sums);
                  });
                  // Row by row on one thread: the same sum for any number of threads.
                  *arguments.write<float>(0) =
                      static_cast<float>(std::accumulate(sums, sums + rows, 0.0));
                }});
}

void emit_backward(Emitter& emitter, std::int64_t count) {
  const float factor = mutated("squared_distance.fast.da") ? 1.0F : 2.0F;
  emitter.task({"",
                {in(SquaredDistance::kA), in(SquaredDistance::kTeacher), d_out()},
                {d_in(SquaredDistance::kA)},
                0,
                [=](Lane& lane, const Arguments& arguments) {
                  const float scale = factor * *arguments.read<float>(2);
                  lane.parallel(count, [&](std::int64_t begin, std::int64_t end, int) {
                    scaled_differences(arguments.read<float>(0), arguments.read<float>(1), scale,
                                       begin, end, arguments.write<float>(0));
                  });
                }});
}
}  // namespace

std::vector<engine::Port> SquaredDistance::inputs() const {
  return {{"a"}, {"teacher", Role::activation, false}};
}

std::vector<Shape> SquaredDistance::infer(std::string_view node,
                                          std::span<const Shape> inputs) const {
  const Shape &a = inputs[kA], &teacher = inputs[kTeacher];
  engine::require(a.rank() == 2 && a.count() > 0, kind(), node,
                  fmt::format("a must be (N,F), got {}", a.text()));
  engine::require(teacher == a, kind(), node,
                  fmt::format("teacher must be {} as a is, got {}", a.text(), teacher.text()));
  return {Shape{}};
}

std::vector<engine::BackwardTask> SquaredDistance::backward() const {
  return {{Pass::backward, {d_in(kA)}}};
}

void SquaredDistance::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::squared_distance_forward(a.inputs[kA], a.inputs[kTeacher], a.outputs[0]);
  else if (a.d_inputs[kA])
    reference::squared_distance_backward(a.inputs[kA], a.inputs[kTeacher], a.d_outputs[0],
                                         a.d_inputs[kA]);
}

std::vector<Candidate> SquaredDistance::candidates(const Query& query) const {
  const std::int64_t rows = query.inputs[kA][0], features = query.inputs[kA][1];
  Candidate own;
  own.id = "own";
  own.implementation = "own: one sweep";
  own.emit = [=, forward = query.pass == Pass::forward](Emitter& emitter) {
    forward ? emit_forward(emitter, rows, features) : emit_backward(emitter, rows * features);
  };
  return {own};
}
}  // namespace autodidact::ops
