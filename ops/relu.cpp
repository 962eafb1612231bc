#include "ops/relu.hpp"

#include "engine/mutation.hpp"
#include "ops/reference/relu.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

// y may lie on x, dx on dy: each number is read before it is written.
template <class T>
AUTODIDACT_KERNEL void open_or_zero(const T* x, float closed, T* y, std::int64_t begin,
                                    std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < 0 ? closed : static_cast<float>(x[i]);
}

template <class T>
AUTODIDACT_KERNEL void gradient_where_open(const T* y, float above, const T* dy, T* dx,
                                           std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) dx[i] = y[i] > above ? static_cast<float>(dy[i]) : 0.0F;
}

template <class T>
void emit_forward(Emitter& emitter, std::int64_t elements) {
  emitter.task({"", {in(0)}, {out()}, 0, [=](Lane& lane, const Arguments& a) {
                  const float closed =
                      mutated("relu.fast.y") ? 0.1F : 0.0F;  // what closed lanes give
                  lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                    open_or_zero(a.read<T>(0), closed, a.write<T>(0), begin, end);
                  });
                }});
}

template <class T>
void emit_backward(Emitter& emitter, std::int64_t elements) {
  emitter.task({"", {out(), d_out()}, {d_in(0)}, 0, [=](Lane& lane, const Arguments& a) {
                  const float above = mutated("relu.fast.dx") ? -1.0F : 0.0F;  // always open
                  lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                    gradient_where_open(a.read<T>(0), above, a.read<T>(1),
                                        a.write<T>(0), begin, end);
                  });
                }});
}
}  // namespace

std::vector<Shape> Relu::infer(std::string_view node, std::span<const Shape> inputs) const {
  engine::require(inputs[0].rank() > 0, kind(), node, "x must have at least one axis, got ()");
  return {inputs[0]};
}

std::vector<engine::BackwardTask> Relu::backward() const { return {{Pass::backward, {d_in(0)}}}; }

std::vector<Shape> Relu::reference_keeps(std::span<const Shape> inputs) const {
  return {inputs[0]};
}

void Relu::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::relu_forward(a.inputs[0], a.replay, a.outputs[0], a.kept[0]);
  else
    reference::relu_backward(a.kept[0], a.d_outputs[0], a.d_inputs[0]);
}

std::vector<Candidate> Relu::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType type = query.type(query.inputs[0], block);
    const std::int64_t elements = type.elements();
    Candidate own;
    own.id = "own";
    own.implementation = "own: one sweep";
    if (query.pass == Pass::forward) {
      own.types = {{in(0), type}, {out(), type}};
      own.in_place = {{out(), in(0)}};
      own.emit = [=](Emitter& emitter) { with_element(type.dtype, [&](auto t) { emit_forward<decltype(t)>(emitter, elements); }); };
    } else {
      own.types = {{out(), type}, {d_out(), type}, {d_in(0), type}};
      own.in_place = {{d_in(0), d_out()}};
      own.emit = [=](Emitter& emitter) { with_element(type.dtype, [&](auto t) { emit_backward<decltype(t)>(emitter, elements); }); };
    }
    candidates.push_back(std::move(own));
    if (query.inputs[0].rank() != 4) break;  // blocks are of rank-4 values
  }
  return candidates;
}
}  // namespace autodidact::ops
