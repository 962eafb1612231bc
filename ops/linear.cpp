#include "ops/linear.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/mutation.hpp"
#include "engine/onednn.hpp"
#include "ops/reference/linear.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape;
namespace onednn = engine::onednn;

namespace {

// Columns [begin, end) of dy, added from `first` on.
AUTODIDACT_KERNEL void add_rows(const float* dy, std::int64_t first, std::int64_t rows,
                                std::int64_t columns, std::int64_t begin, std::int64_t end,
                                float* db) {
  std::fill(db + begin, db + end, 0.0F);
  for (std::int64_t n = first; n < rows; ++n)
#pragma GCC ivdep
    for (std::int64_t q = begin; q < end; ++q) db[q] += dy[n * columns + q];
}

// The mutants of the products read w, or dy, as if it were not transposed where it is, or were where it is not.
onednn::MatmulProblem product_of(const Query& query) {
  const std::int64_t n = query.inputs[0][0], c = query.inputs[0][1], q = query.inputs[1][0];
  switch (query.pass) {
    case Pass::backward_data:
      return {n, c, q, false, mutated("linear.fast.dx"), false};
    case Pass::backward_weights:
      return {q, c, n, !mutated("linear.fast.dw"), false, false};
    default:
      return {n, q, c, false, !mutated("linear.fast.y"), true};
  }
}

void emit_forward(Emitter& emitter, const onednn::Primitive& product) {
  emitter.task({"",
                {in(0), in(1), in(2)},
                {out()},
                product.scratch_bytes(),
                [product](Lane&, const Arguments& a) {
                  product.execute({a.read(0), a.read(1), a.read(2), a.write(0)}, a.scratch());
                }});
}

void emit_backward_data(Emitter& emitter, const onednn::Primitive& product) {
  emitter.task({"",
                {d_out(), in(1)},
                {d_in(0)},
                product.scratch_bytes(),
                [product](Lane&, const Arguments& a) {
                  product.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                }});
}

void emit_weights(Emitter& emitter, const onednn::Primitive& product) {
  emitter.task({"",
                {d_out(), in(0)},
                {d_in(1)},
                product.scratch_bytes(),
                [product](Lane&, const Arguments& a) {
                  product.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                }});
}

void emit_bias(Emitter& emitter, std::int64_t rows, std::int64_t columns) {
  const std::int64_t first = mutated("linear.fast.db") ? 1 : 0;  // loses a sample
  emitter.task({"bias", {d_out()}, {d_in(2)}, 0, [=](Lane& lane, const Arguments& a) {
                  lane.parallel(columns, [&](std::int64_t begin, std::int64_t end, int) {
                    add_rows(a.read<float>(0), first, rows, columns, begin, end, a.write<float>(0));
                  });
                }});
}
}  // namespace

std::vector<engine::Port> Linear::inputs() const {
  return {{"x"}, {"w", engine::Role::parameter}, {"b", engine::Role::parameter}};
}

std::vector<Shape> Linear::infer(std::string_view node, std::span<const Shape> inputs) const {
  const Shape &x = inputs[0], &w = inputs[1], &b = inputs[2];
  const auto check = [&](bool good, const std::string& sentence) {
    engine::require(good, kind(), node, sentence);
  };
  check(x.rank() == 2 && x.count() > 0, "x must be (N,C) and not empty, got " + x.text());
  check(w.rank() == 2 && w.count() > 0 && w[1] == x[1],
        fmt::format("w must be (Q,{}) for x {}, got {}", x[1], x.text(), w.text()));
  check(b == Shape{w[0]}, fmt::format("b must be ({}) for w {}, got {}", w[0], w.text(), b.text()));
  return {{x[0], w[0]}};
}

std::vector<engine::BackwardTask> Linear::backward() const {
  return {{Pass::backward_data, {d_in(0)}}, {Pass::backward_weights, {d_in(1), d_in(2)}}};
}

void Linear::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::linear_y(a.inputs[0], a.inputs[1], a.inputs[2], a.outputs[0]);
  if (pass == Pass::backward_data && a.d_inputs[0])
    reference::linear_dx(a.d_outputs[0], a.inputs[1], a.d_inputs[0]);
  if (pass == Pass::backward_weights && a.d_inputs[1])
    reference::linear_dw(a.inputs[0], a.d_outputs[0], a.d_inputs[1]);
  if (pass == Pass::backward_weights && a.d_inputs[2])
    reference::linear_db(a.d_outputs[0], a.d_inputs[2]);
}

std::vector<Candidate> Linear::candidates(const Query& query) const {
  const onednn::Matmul product = onednn::make_matmul(product_of(query));
  Candidate candidate;
  candidate.id = "matmul";
  candidate.implementation = product.implementation;
  candidate.emit = [primitive = product.primitive, pass = query.pass,
                    weights = query.needs_gradient[1], bias = query.needs_gradient[2],
                    rows = query.outputs[0][0], columns = query.outputs[0][1]](Emitter& emitter) {
    if (pass == Pass::forward) emit_forward(emitter, primitive);
    if (pass == Pass::backward_data) emit_backward_data(emitter, primitive);
    if (pass == Pass::backward_weights && weights) emit_weights(emitter, primitive);
    if (pass == Pass::backward_weights && bias) emit_bias(emitter, rows, columns);
  };
  return {candidate};
}
}  // namespace autodidact::ops
