#include "ops/convolution.hpp"

#include <fmt/format.h>

#include <memory>
#include <stdexcept>

#include "engine/onednn.hpp"
#include "ops/block_diagonal.hpp"
#include "ops/convolution_matmul.hpp"
#include "ops/convolution_methods.hpp"
#include "ops/convolution_strassen.hpp"
#include "ops/convolution_winograd.hpp"
#include "ops/reference/convolution.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::Operand, engine::out, engine::Pass, engine::Query, engine::Shape, engine::TensorType;
namespace onednn = engine::onednn;

Convolution::Convolution(ConvolutionGeometry g) : geometry(g) {
  if (g.groups < 1 || g.stride_h < 1 || g.stride_w < 1 || g.dilation_h < 1 || g.dilation_w < 1)
    throw std::invalid_argument(fmt::format(
        "[convolution] groups, strides and dilations must be at least 1, got {}", describe()));
  if (g.pad_h < 0 || g.pad_w < 0)
    throw std::invalid_argument(
        fmt::format("[convolution] paddings must not be negative, got {}", describe()));
}

std::string Convolution::describe() const {
  const ConvolutionGeometry& g = geometry;
  return fmt::format("groups {} stride {}x{} pad {}x{} dilation {}x{}", g.groups, g.stride_h,
                     g.stride_w, g.pad_h, g.pad_w, g.dilation_h, g.dilation_w);
}

std::vector<engine::Port> Convolution::inputs() const {
  return {{"x"}, {"w", engine::Role::parameter}};
}

std::vector<Shape> Convolution::infer(std::string_view node, std::span<const Shape> inputs) const {
  const ConvolutionGeometry& g = geometry;
  const Shape &x = inputs[0], &w = inputs[1];
  const auto check = [&](bool good, const std::string& sentence) {
    engine::require(good, kind(), node, sentence);
  };
  check(x.rank() == 4 && x.count() > 0, "x must be (N,C,H,W) and not empty, got " + x.text());
  check(w.rank() == 4 && w.count() > 0, "w must be (K,C/G,R,S) and not empty, got " + w.text());
  check(x[1] % g.groups == 0 && w[0] % g.groups == 0,
        fmt::format("{} groups must divide C = {} and K = {}", g.groups, x[1], w[0]));
  check(w[1] == x[1] / g.groups,
        fmt::format("w must be ({0},{1},R,S) for x {2} in {3} group(s), got {4}", w[0],
                    x[1] / g.groups, x.text(), g.groups, w.text()));
  const auto extent = [&](std::int64_t size, std::int64_t pad, std::int64_t kernel,
                          std::int64_t dilation, std::int64_t stride, const char* axis) {
    const std::int64_t window = dilation * (kernel - 1) + 1;
    check(window <= size + 2 * pad,
          fmt::format("the window is {} pixels {}, but x has only {} with its padding", window,
                      axis, size + 2 * pad));
    return (size + 2 * pad - window) / stride + 1;
  };
  return {{x[0], w[0], extent(x[2], g.pad_h, w[2], g.dilation_h, g.stride_h, "high"),
           extent(x[3], g.pad_w, w[3], g.dilation_w, g.stride_w, "wide")}};
}

std::vector<engine::BackwardTask> Convolution::backward() const {
  return {{Pass::backward_data, {d_in(0)}}, {Pass::backward_weights, {d_in(1)}}};
}

void Convolution::reference(Pass pass, const engine::ReferenceArguments& a) const {
  if (pass == Pass::forward)
    reference::convolution_y(geometry, a.inputs[0], a.inputs[1], a.outputs[0]);
  if (pass == Pass::backward_data && a.d_inputs[0])
    reference::convolution_dx(geometry, a.d_outputs[0], a.inputs[1], a.d_inputs[0]);
  if (pass == Pass::backward_weights && a.d_inputs[1])
    reference::convolution_dw(geometry, a.inputs[0], a.d_outputs[0], a.d_inputs[1]);
}

// ---- the fast path -------------------------------------------------------------------------------------------------

namespace {
using Method = ConvolutionMethod;

Operand packed_weights(Emitter& emitter, const Method& method) {
  if (method.weights_as_they_are()) return in(1);
  const ConvolutionPacker pack(method);
  return emitter.pack({{in(1)}, method.weights_key(), method.algorithm.weights_bytes(), pack.room_bytes(),
                       [pack](Lane& lane, const Arguments& a) { pack(lane, a.read<float>(0), a.write(0), a.scratch<float>()); }});
}

// `blob` → dw. Wide weights come out plain into scratch memory first.
void emit_unpack(Emitter& emitter, const Method& method, Operand blob) {
  const onednn::Primitive unpack = method.algorithm.make_unpack();
  if (!method.wide)
    return emitter.task({"unpack", {blob}, {d_in(1)}, 0, [unpack](Lane&, const Arguments& a) { unpack.execute({a.read(0), a.write(0)}); }});
  emitter.task({"unpack", {blob}, {d_in(1)}, method.wide->bytes(), [unpack, wide = *method.wide](Lane& lane, const Arguments& a) {
                  unpack.execute({a.read(0), a.scratch()});
                  wide.gather(lane, a.scratch<float>(), a.write<float>(0));
                }});
}

void emit_copy(Emitter& emitter, const char* suffix, Operand from, Operand to, const TensorType& from_type, const TensorType& to_type) {
  emitter.task({suffix, {from}, {to}, 0, [copy = onednn::make_reorder(from_type, to_type)](Lane&, const Arguments& a) {
                  copy.execute({a.read(0), a.write(0)});
                }});
}

// The planes as the library sees them; `seen` is their type there.
Operand as_seen(Emitter& emitter, const Method& method, Operand planes, const TensorType& seen) {
  if (!method.copies_planes()) return planes;
  const Operand copy = emitter.temporary(seen.bytes());
  emit_copy(emitter, "widen", planes, copy, method.lying(seen), seen);
  return copy;
}

void emit_from_packed_weights(Emitter& emitter, const Method& method, Operand from, const TensorType& from_seen, Operand to,
                              const TensorType& to_seen) {
  const Operand weights = packed_weights(emitter, method);
  const Operand read = as_seen(emitter, method, from, from_seen);
  const Operand written = method.copies_planes() ? emitter.temporary(to_seen.bytes()) : to;
  const onednn::Primitive primitive = method.algorithm.make();
  emitter.task({"",
                {read, weights},
                {written},
                primitive.scratch_bytes(),
                [primitive](Lane&, const Arguments& a) {
                  primitive.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                }});
  if (method.copies_planes()) emit_copy(emitter, "round", written, to, to_seen, method.lying(to_seen));
}

void emit_backward_weights(Emitter& emitter, const Method& method) {
  const bool direct = method.weights_as_they_are();
  const Operand x = as_seen(emitter, method, in(0), method.problem.x), dy = as_seen(emitter, method, d_out(), method.problem.y);
  const Operand blob = direct ? d_in(1) : emitter.temporary(method.algorithm.weights_bytes());
  const onednn::Primitive primitive = method.algorithm.make();
  emitter.task({"",
                {x, dy},
                {blob},
                primitive.scratch_bytes(),
                [primitive](Lane&, const Arguments& a) {
                  primitive.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                }});
  if (!direct) emit_unpack(emitter, method, blob);
}

Candidate make_candidate(Pass pass, const Method& method) {
  const onednn::ConvolutionProblem& problem = method.problem;
  const TensorType x = method.lying(problem.x), y = method.lying(problem.y);
  Candidate candidate;
  candidate.id = method.id;
  candidate.implementation = method.algorithm.implementation();
  candidate.products = method.products();
  switch (pass) {
    case Pass::backward_data:
      candidate.types = {{d_out(), y}, {d_in(0), x}};
      candidate.emit = [method](Emitter& emitter) {
        emit_from_packed_weights(emitter, method, d_out(), method.problem.y, d_in(0), method.problem.x);
      };
      break;
    case Pass::backward_weights:
      candidate.types = {{in(0), x}, {d_out(), y}};
      candidate.emit = [method](Emitter& emitter) { emit_backward_weights(emitter, method); };
      break;
    default:
      candidate.types = {{in(0), x}, {out(), y}};
      candidate.emit = [method](Emitter& emitter) {
        emit_from_packed_weights(emitter, method, in(0), method.problem.x, out(), method.problem.y);
      };
  }
  return candidate;
}

}  // namespace

std::vector<Candidate> Convolution::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const Method& method : convolution_methods(query, geometry)) candidates.push_back(make_candidate(query.pass, method));
  for (Candidate& product : matmul_candidates(query, geometry)) candidates.push_back(std::move(product));
  for (Candidate& filtering : winograd_candidates(query, geometry)) candidates.push_back(std::move(filtering));
  for (Candidate& product : strassen_candidates(query, geometry)) candidates.push_back(std::move(product));
  return candidates;
}
}  // namespace autodidact::ops
