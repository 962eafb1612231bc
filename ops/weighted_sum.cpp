#include "ops/weighted_sum.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "engine/mutation.hpp"
#include "ops/reference/weighted_sum.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Role, engine::Shape;

namespace {

void emit_forward(Emitter& emitter, int terms) {
  const bool wrong = mutated("weighted_sum.fast.L");  // forgets the last term
  std::vector<engine::Operand> reads;
  for (int i = 0; i < 2 * terms; ++i) reads.push_back(in(i));
  emitter.task({"", reads, {out()}, 0, [=](Lane&, const Arguments& arguments) {
                  double total = 0;
                  for (int i = 0; i < terms - (wrong ? 1 : 0); ++i)
                    total += static_cast<double>(*arguments.read<float>(terms + i)) *
                             *arguments.read<float>(i);
                  *arguments.write<float>(0) = static_cast<float>(total);
                }});
}

// Reads dL and the weights of the wanted terms, in the order of the writes.
void emit_backward(Emitter& emitter, const std::vector<int>& wanted, int terms) {
  const bool wrong = mutated("weighted_sum.fast.dl");  // forgets the weight
  std::vector<engine::Operand> reads{d_out()}, writes;
  for (const int i : wanted) {
    reads.push_back(in(terms + i));
    writes.push_back(d_in(i));
  }
  const int count = static_cast<int>(wanted.size());
  emitter.task({"", reads, writes, 0, [=](Lane&, const Arguments& arguments) {
                  const float dtotal = *arguments.read<float>(0);
                  for (int i = 0; i < count; ++i)
                    *arguments.write<float>(i) =
                        wrong ? dtotal : *arguments.read<float>(i + 1) * dtotal;
                }});
}
}  // namespace

WeightedSum::WeightedSum(int count) : terms(count) {
  if (count < 1)
    throw std::invalid_argument(
        fmt::format("[weighted_sum] must have at least one term, got {}", count));
}

std::string WeightedSum::describe() const { return fmt::format("weighted_sum terms={}", terms); }

std::vector<engine::Port> WeightedSum::inputs() const {
  std::vector<engine::Port> ports(static_cast<std::size_t>(terms), {"loss", Role::scalar});
  ports.resize(2 * ports.size(), {"weight", Role::scalar, false});
  return ports;
}

std::vector<Shape> WeightedSum::infer(std::string_view node, std::span<const Shape> inputs) const {
  for (int i = 0; i < 2 * terms; ++i) {
    const Shape& shape = inputs[static_cast<std::size_t>(i)];
    engine::require(shape.rank() == 0, kind(), node,
                    fmt::format("{} {} must be one number, got {}", i < terms ? "loss" : "weight",
                                i % terms + 1, shape.text()));
  }
  return {Shape{}};
}

std::vector<engine::BackwardTask> WeightedSum::backward() const {
  std::vector<engine::Operand> writes;
  for (int i = 0; i < terms; ++i) writes.push_back(d_in(i));
  return {{Pass::backward, writes}};
}

void WeightedSum::reference(Pass pass, const engine::ReferenceArguments& a) const {
  const std::span<const engine::View> inputs(a.inputs), d_inputs(a.d_inputs);
  const auto count = static_cast<std::size_t>(terms);
  if (pass == Pass::forward)
    reference::weighted_sum_forward(inputs.first(count), inputs.subspan(count), a.outputs[0]);
  else
    reference::weighted_sum_backward(inputs.subspan(count), a.d_outputs[0], d_inputs.first(count));
}

std::vector<Candidate> WeightedSum::candidates(const Query& query) const {
  std::vector<int> wanted;
  for (int i = 0; i < terms; ++i)
    if (query.needs_gradient[static_cast<std::size_t>(i)]) wanted.push_back(i);
  Candidate own;
  own.id = "own";
  own.implementation = "own: a few numbers";
  own.emit = [=, k = terms, forward = query.pass == Pass::forward](Emitter& emitter) {
    forward ? emit_forward(emitter, k) : emit_backward(emitter, wanted, k);
  };
  return {own};
}
}  // namespace autodidact::ops
