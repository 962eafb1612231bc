#include "ops/multiply.hpp"

#include <fmt/format.h>

#include "engine/mutation.hpp"
#include "ops/reference/multiply.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

// y may be an input, dx may be dy: each number is read before it is written. Padded channels stay zero: 0·0.
template <class T>
AUTODIDACT_KERNEL void product(const T* x, const T* g, T* y, std::int64_t begin,
                               std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] * g[i];
}

template <class T>
AUTODIDACT_KERNEL void both_products(const T* x, const T* g, const T* dy, T* dx, T* dg,
                                     std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) {
    const float d = dy[i];
    dx[i] = d * g[i];
    dg[i] = d * x[i];
  }
}

template <class T>
void emit_forward(Emitter& emitter, std::int64_t elements) {
  emitter.task({"", {in(0), in(1)}, {out()}, 0, [=](Lane& lane, const Arguments& arguments) {
                  const auto *x = arguments.read<T>(0), *g = arguments.read<T>(1);
                  const bool wrong = mutated("multiply.fast.y");  // squares x
                  lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                    product(x, wrong ? x : g, arguments.write<T>(0), begin, end);
                  });
                }});
}

template <class T>
void emit_both_gradients(Emitter& emitter, std::int64_t elements) {
  emitter.task({"",
                {in(0), in(1), d_out()},
                {d_in(0), d_in(1)},
                0,
                [=](Lane& lane, const Arguments& arguments) {
                  const auto *x = arguments.read<T>(0), *g = arguments.read<T>(1);
                  // Wrong: the factor is the gradient's own input.
                  const T* factor_of_dx = mutated("multiply.fast.dx") ? x : g;
                  const T* factor_of_dg = mutated("multiply.fast.dg") ? g : x;
                  lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                    both_products(factor_of_dg, factor_of_dx, arguments.read<T>(2),
                                  arguments.write<T>(0), arguments.write<T>(1), begin, end);
                  });
                }});
}

// Of input i alone: the other input is all that must have been kept.
template <class T>
void emit_one_gradient(Emitter& emitter, std::int64_t elements, int i) {
  emitter.task(
      {"", {in(1 - i), d_out()}, {d_in(i)}, 0, [=](Lane& lane, const Arguments& arguments) {
         lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
           product(arguments.read<T>(0), arguments.read<T>(1), arguments.write<T>(0),
                   begin, end);
         });
       }});
}
}  // namespace

std::vector<Shape> Multiply::infer(std::string_view node, std::span<const Shape> inputs) const {
  engine::require(inputs[0] == inputs[1], kind(), node,
                  fmt::format("x and g must have the same shape, got {} and {}", inputs[0].text(),
                              inputs[1].text()));
  return {inputs[0]};
}

std::vector<engine::BackwardTask> Multiply::backward() const {
  return {{Pass::backward, {d_in(0), d_in(1)}}};
}

void Multiply::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  const auto &x = arguments.inputs[0], &g = arguments.inputs[1];
  if (pass == Pass::forward)
    reference::multiply_forward(x, g, arguments.outputs[0]);
  else
    reference::multiply_backward(x, g, arguments.d_outputs[0], arguments.d_inputs[0],
                                 arguments.d_inputs[1]);
}

std::vector<Candidate> Multiply::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType type = query.type(query.inputs[0], block);
    const std::int64_t elements = type.elements();
    Candidate own;
    own.id = "own";
    own.implementation = "own: one sweep";
    own.types = {
        {in(0), type}, {in(1), type}, {query.pass == Pass::forward ? out() : d_out(), type}};
    const bool backward = query.pass != Pass::forward;
    const bool dx = backward && query.needs_gradient[0], dg = backward && query.needs_gradient[1];
    if (dx) own.types.push_back({d_in(0), type});
    if (dg) own.types.push_back({d_in(1), type});
    if (query.pass == Pass::forward) {
      own.in_place = {{out(), in(0)}, {out(), in(1)}};
      own.emit = [=](Emitter& emitter) {
        with_element(type.dtype, [&](auto t) { emit_forward<decltype(t)>(emitter, elements); });
      };
    } else {
      own.in_place = {{dx ? d_in(0) : d_in(1), d_out()}};
      own.emit = [=](Emitter& emitter) {
        with_element(type.dtype, [&](auto t) {
          dx&& dg ? emit_both_gradients<decltype(t)>(emitter, elements)
                  : emit_one_gradient<decltype(t)>(emitter, elements, dx ? 0 : 1);
        });
      };
    }
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
