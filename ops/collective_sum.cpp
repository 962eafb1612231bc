#include "ops/collective_sum.hpp"

#include <fmt/format.h>

#include "engine/mutation.hpp"
#include "ops/reference/collective_sum.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Role, engine::Shape;

namespace {

// Both passes alone, and backward always: write = factor · read.
void emit_copy(Emitter& emitter, engine::Operand from, engine::Operand to, float factor) {
  emitter.task({"", {from}, {to}, 0, [=](Lane&, const Arguments& arguments) {
                  *arguments.write<float>(0) = factor * *arguments.read<float>(0);
                }});
}

// A collective sums f64, so the number goes through a temporary of that type.
void emit_sum(Emitter& emitter, float factor) {
  const engine::Operand sum = emitter.temporary(sizeof(double));
  emitter.task({"widen", {in(0)}, {sum}, 0, [](Lane&, const Arguments& arguments) {
                  *arguments.write<double>(0) = *arguments.read<float>(0);
                }});
  emitter.collective(sum, 1);
  emitter.task({"narrow", {sum}, {out()}, 0, [=](Lane&, const Arguments& arguments) {
                  *arguments.write<float>(0) =
                      static_cast<float>(factor * *arguments.read<double>(0));
                }});
}
}  // namespace

std::vector<engine::Port> CollectiveSum::inputs() const { return {{"s", Role::scalar}}; }

std::vector<Shape> CollectiveSum::infer(std::string_view node,
                                        std::span<const Shape> inputs) const {
  engine::require(inputs[0].rank() == 0, kind(), node,
                  fmt::format("s must be one number, got {}", inputs[0].text()));
  return {Shape{}};
}

std::vector<engine::BackwardTask> CollectiveSum::backward() const {
  return {{Pass::backward, {d_in(0)}}};
}

void CollectiveSum::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::collective_sum_forward(a.inputs[0], a.outputs[0]);
  else if (a.d_inputs[0])
    reference::collective_sum_backward(a.d_outputs[0], a.d_inputs[0]);
}

std::vector<Candidate> CollectiveSum::candidates(const Query& query) const {
  const bool forward = query.pass == Pass::forward, alone = query.ranks == 1;
  Candidate own;
  own.id = "own";
  own.implementation = alone || !forward ? "own: copy" : "own: all-reduce";
  if (alone || !forward)
    own.in_place = {forward ? std::pair{out(), in(0)} : std::pair{d_in(0), d_out()}};
  own.emit = [=](Emitter& emitter) {
    if (!forward)
      emit_copy(emitter, d_out(), d_in(0), mutated("collective_sum.fast.ds") ? -1.0F : 1.0F);
    else if (alone)
      emit_copy(emitter, in(0), out(), mutated("collective_sum.fast.S") ? 2.0F : 1.0F);
    else
      emit_sum(emitter, mutated("collective_sum.fast.S") ? 2.0F : 1.0F);
  };
  return {own};
}
}  // namespace autodidact::ops
