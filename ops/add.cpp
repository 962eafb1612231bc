#include "ops/add.hpp"

#include <fmt/format.h>

#include "engine/mutation.hpp"
#include "ops/reference/add.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::Operand, engine::out, engine::Pass;
using engine::Query, engine::Shape, engine::TensorType, engine::with_element;

namespace {

// y may be an input: each number is read before it is written.
template <class T>
AUTODIDACT_KERNEL void sum(const T* a, const T* b, float sign, T* y, std::int64_t begin,
                           std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] + sign * b[i];
}

template <class T>
AUTODIDACT_KERNEL void copy(const T* from, float factor, T* to, std::int64_t begin,
                            std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) to[i] = factor * from[i];
}

template <class T>
void emit_forward(Emitter& emitter, std::int64_t elements) {
  emitter.task({"", {in(0), in(1)}, {out()}, 0, [=](Lane& lane, const Arguments& a) {
                  const float sign = mutated("add.fast.y") ? -1.0F : 1.0F;  // subtracts
                  lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                    sum(a.read<T>(0), a.read<T>(1), sign, a.write<T>(0), begin, end);
                  });
                }});
}

// Both gradients are dy. One that lies on dy is there already; it is written last, because the other reads dy.
template <class T>
void emit_backward(Emitter& emitter, std::int64_t elements, const std::vector<Operand>& gradients) {
  const int count = static_cast<int>(gradients.size());
  const int first = gradients.front().index;
  emitter.task({"", {d_out()}, gradients, 0, [=](Lane& lane, const Arguments& a) {
                  const auto* dy = a.read<T>(0);
                  for (int i = count - 1; i >= 0; --i) {
                    const bool wrong = first + i == 0 ? mutated("add.fast.da") : mutated("add.fast.db");
                    const float factor = wrong ? 0.5F : 1.0F;  // a share instead of all
                    auto* to = a.write<T>(i);
                    if (to == dy && !wrong) continue;
                    lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                      copy(dy, factor, to, begin, end);
                    });
                  }
                }});
}
}  // namespace

std::vector<Shape> Add::infer(std::string_view node, std::span<const Shape> inputs) const {
  engine::require(inputs[0] == inputs[1], kind(), node,
                  fmt::format("a and b must have the same shape, got {} and {}", inputs[0].text(),
                              inputs[1].text()));
  return {inputs[0]};
}

std::vector<engine::BackwardTask> Add::backward() const {
  return {{Pass::backward, {d_in(0), d_in(1)}}};
}

void Add::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::add_forward(a.inputs[0], a.inputs[1], a.outputs[0]);
  else
    reference::add_backward(a.d_outputs[0], a.d_inputs[0], a.d_inputs[1]);
}

std::vector<Candidate> Add::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType type = query.type(query.inputs[0], block);
    const std::int64_t elements = type.elements();
    Candidate own;
    own.id = "own";
    own.implementation = "own: one sweep";
    if (query.pass == Pass::forward) {
      own.types = {{in(0), type}, {in(1), type}, {out(), type}};
      own.in_place = {{out(), in(0)}, {out(), in(1)}};
      own.emit = [=](Emitter& emitter) { with_element(type.dtype, [&](auto t) { emit_forward<decltype(t)>(emitter, elements); }); };
    } else {
      std::vector<Operand> gradients;
      own.types = {{d_out(), type}};
      for (const int i : {0, 1}) {
        if (!query.needs_gradient[static_cast<std::size_t>(i)]) continue;
        gradients.push_back(d_in(i));
        own.types.push_back({d_in(i), type});
      }
      own.in_place = {{gradients.front(), d_out()}};
      own.emit = [=](Emitter& emitter) { with_element(type.dtype, [&](auto t) { emit_backward<decltype(t)>(emitter, elements, gradients); }); };
    }
    candidates.push_back(std::move(own));
    if (query.inputs[0].rank() != 4) break;  // blocks are of rank-4 values
  }
  return candidates;
}
}  // namespace autodidact::ops
