#include "ops/root.hpp"

#include <fmt/format.h>

#include <cmath>

#include "engine/mutation.hpp"
#include "ops/reference/root.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Role, engine::Shape;

namespace {

void emit_forward(Emitter& emitter) {
  const bool wrong = mutated("root.fast.d");  // no root
  emitter.task({"", {in(0)}, {out()}, 0, [=](Lane&, const Arguments& arguments) {
                  const float S = *arguments.read<float>(0);
                  *arguments.write<float>(0) = wrong ? S : std::sqrt(S);
                }});
}

void emit_backward(Emitter& emitter) {
  const float two = mutated("root.fast.dS") ? -2.0F : 2.0F;
  emitter.task({"", {in(0), d_out()}, {d_in(0)}, 0, [=](Lane&, const Arguments& arguments) {
                  const float S = *arguments.read<float>(0), dd = *arguments.read<float>(1);
                  *arguments.write<float>(0) = S == 0 ? 0 : dd / (two * std::sqrt(S));
                }});
}
}  // namespace

std::vector<engine::Port> Root::inputs() const { return {{"S", Role::scalar}}; }

std::vector<Shape> Root::infer(std::string_view node, std::span<const Shape> inputs) const {
  engine::require(inputs[0].rank() == 0, kind(), node,
                  fmt::format("S must be one number, got {}", inputs[0].text()));
  return {Shape{}};
}

std::vector<engine::BackwardTask> Root::backward() const { return {{Pass::backward, {d_in(0)}}}; }

void Root::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::root_forward(a.inputs[0], a.outputs[0]);
  else if (a.d_inputs[0])
    reference::root_backward(a.inputs[0], a.d_outputs[0], a.d_inputs[0]);
}

std::vector<Candidate> Root::candidates(const Query& query) const {
  Candidate own;
  own.id = "own";
  own.implementation = "own: one number";
  own.emit = query.pass == Pass::forward ? emit_forward : emit_backward;
  return {own};
}
}  // namespace autodidact::ops
