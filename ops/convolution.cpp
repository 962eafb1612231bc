#include "ops/convolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>

#include "engine/mutation.hpp"
#include "engine/onednn.hpp"
#include "ops/block_diagonal.hpp"
#include "ops/reference/convolution.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::Operand, engine::out, engine::Pass;
using engine::Query, engine::Shape, engine::TensorType;
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

// One way to compute a pass: what the library runs, and how its weights are made of ours.
struct Method {
  std::string id;
  onednn::ConvolutionAlgorithm algorithm;
  std::optional<BlockDiagonal> wide;  // the library sees wide groups

  bool weights_as_they_are() const { return !wide && algorithm.weights_plain(); }
  std::string weights_key() const {
    return wide ? fmt::format("{} groups, {}", wide->groups, algorithm.weights_key()) : algorithm.weights_key();
  }
};

// Room for the wide weights of one task, plain.
std::shared_ptr<std::vector<float>> room_for(const BlockDiagonal& wide) {
  return std::make_shared<std::vector<float>>(static_cast<std::size_t>(wide.wide.count()));
}

engine::Kernel pack_kernel(const Method& method) {
  const onednn::Primitive pack = method.algorithm.make_pack();
  if (!method.wide)
    return [pack](Lane&, const Arguments& a) { pack.execute({a.read(0), a.write(0)}); };
  return [pack, wide = *method.wide, room = room_for(*method.wide)](Lane&, const Arguments& a) {
    wide.spread(a.read<float>(0), room->data());
    pack.execute({room->data(), a.write(0)});
  };
}

engine::Kernel unpack_kernel(const Method& method) {
  const onednn::Primitive unpack = method.algorithm.make_unpack();
  if (!method.wide)
    return [unpack](Lane&, const Arguments& a) { unpack.execute({a.read(0), a.write(0)}); };
  return [unpack, wide = *method.wide, room = room_for(*method.wide)](Lane&, const Arguments& a) {
    unpack.execute({a.read(0), room->data()});
    wide.gather(room->data(), a.write<float>(0));
  };
}

void emit_from_packed_weights(Emitter& emitter, const Method& method, Operand from, Operand to) {
  Operand weights = in(1);
  if (!method.weights_as_they_are())
    weights = emitter.pack(in(1), method.weights_key(), method.algorithm.weights_bytes(), pack_kernel(method));
  const onednn::Primitive primitive = method.algorithm.make();
  emitter.task({"",
                {from, weights},
                {to},
                primitive.scratch_bytes(),
                [primitive](Lane&, const Arguments& a) {
                  primitive.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                }});
}

void emit_backward_weights(Emitter& emitter, const Method& method) {
  const bool direct = method.weights_as_they_are();
  const Operand blob = direct ? d_in(1) : emitter.temporary(method.algorithm.weights_bytes());
  const onednn::Primitive primitive = method.algorithm.make();
  emitter.task({"",
                {in(0), d_out()},
                {blob},
                primitive.scratch_bytes(),
                [primitive](Lane&, const Arguments& a) {
                  primitive.execute({a.read(0), a.read(1), a.write(0)}, a.scratch());
                }});
  if (!direct) emitter.task({"unpack", {blob}, {d_in(1)}, 0, unpack_kernel(method)});
}

Candidate make_candidate(Pass pass, const onednn::ConvolutionProblem& problem, const Method& method) {
  Candidate candidate;
  candidate.id = method.id;
  candidate.implementation = method.algorithm.implementation();
  switch (pass) {
    case Pass::backward_data:
      candidate.types = {{d_out(), problem.y}, {d_in(0), problem.x}};
      candidate.emit = [method](Emitter& emitter) {
        emit_from_packed_weights(emitter, method, d_out(), d_in(0));
      };
      break;
    case Pass::backward_weights:
      candidate.types = {{in(0), problem.x}, {d_out(), problem.y}};
      candidate.emit = [method](Emitter& emitter) { emit_backward_weights(emitter, method); };
      break;
    default:
      candidate.types = {{in(0), problem.x}, {out(), problem.y}};
      candidate.emit = [method](Emitter& emitter) {
        emit_from_packed_weights(emitter, method, in(0), out());
      };
  }
  return candidate;
}

onednn::ConvolutionProblem make_problem(const ConvolutionGeometry& g, const Query& query) {
  onednn::ConvolutionProblem problem{{},           {},          query.inputs[1], g.groups,
                                     g.stride_h,   g.stride_w,  g.pad_h,         g.pad_w,
                                     g.dilation_h, g.dilation_w};
  // The mutants lose one row or column of the padding before the picture; the adapter adds it behind.
  const auto lost = [](std::int64_t pad) { return std::max<std::int64_t>(0, pad - 1); };
  if (query.pass == Pass::forward && mutated("convolution.fast.y")) problem.pad_w = lost(g.pad_w);
  if (query.pass == Pass::backward_data && mutated("convolution.fast.dx"))
    problem.pad_h = lost(g.pad_h);
  if (query.pass == Pass::backward_weights && mutated("convolution.fast.dw"))
    problem.pad_w = lost(g.pad_w);
  return problem;
}

// Where F(4×4,3×3) exists and its blocks are not mostly padding.
bool winograd_fits(const onednn::ConvolutionProblem& p) {
  return p.y.format.block == 16 && p.x.format.block == 16 && p.x.shape[1] >= 16 &&
         p.y.shape[1] >= 16 && p.groups == 1 && p.weights[2] == 3 && p.weights[3] == 3 &&
         p.stride_h == 1 && p.stride_w == 1 && p.dilation_h == 1 && p.dilation_w == 1;
}

// Measured: with fewer channels its transforms cost what its products save. Only the order of the offer follows from this.
bool winograd_pays(const onednn::ConvolutionProblem& p) {
  return std::min(p.x.shape[1], p.y.shape[1]) >= 32;
}
}  // namespace

std::vector<Candidate> Convolution::candidates(const Query& query) const {
  onednn::ConvolutionProblem problem = make_problem(geometry, query);
  const Shape &x = query.inputs[0], &y = query.outputs[0];
  std::vector<Candidate> candidates;
  const auto offer = [&](std::int64_t x_block, std::int64_t y_block) {
    problem.x = query.type(x, x_block);
    problem.y = query.type(y, y_block);
    const bool first = winograd_pays(problem);
    for (const bool winograd : {first, !first}) {
      if (winograd && (query.only_direct || !winograd_fits(problem))) continue;
      for (const onednn::ConvolutionAlgorithm& algorithm :
           onednn::convolution_algorithms(query.pass, query.mode, problem, winograd)) {
        // Plain loops only where the library has nothing for plain tensors either: another block, with a reorder, is better.
        if (algorithm.reference() && y_block != 1) continue;
        candidates.push_back(make_candidate(query.pass, problem, {winograd ? "winograd" : "direct", algorithm, {}}));
      }
    }
  };
  const auto offer_wide_groups = [&](std::int64_t block) {
    const auto wide = BlockDiagonal::fill(geometry.groups, query.inputs[1], block);
    if (!wide || query.only_direct) return;
    onednn::ConvolutionProblem wider = problem;
    wider.groups = wide->groups;
    wider.weights = wide->wide;
    wider.x = query.type(x, block);
    wider.y = query.type(y, block);
    for (const onednn::ConvolutionAlgorithm& algorithm :
         onednn::convolution_algorithms(query.pass, query.mode, wider, false))
      if (!algorithm.reference()) candidates.push_back(make_candidate(query.pass, wider, {"block_diagonal", algorithm, wide}));
  };
  for (const std::int64_t block : query.blocks) {
    // An image of few channels would be mostly padding in blocks: the library has kernels that read it plain.
    if (x[1] < block) offer(1, block);
    if (geometry.groups > 1 && block > 1 && block != Query::kChannelsLast) offer_wide_groups(block);
    offer(block, block);
  }
  return candidates;
}
}  // namespace autodidact::ops
