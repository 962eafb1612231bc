#include "ops/convolution_batch_norm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/mutation.hpp"
#include "ops/convolution_methods.hpp"
#include "ops/reference/convolution.hpp"
#include "ops/reference/convolution_batch_norm.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::Emitter, engine::in, engine::Lane, engine::mutated;
using engine::Operand, engine::out, engine::Pass, engine::Query, engine::Shape;
namespace onednn = engine::onednn;

std::string_view ConvolutionBatchNorm::kind() const {
  if (tail == Tail::none) return "convolution_batch_norm";
  return tail == Tail::relu ? "convolution_batch_norm_relu" : "convolution_batch_norm_add_relu";
}

std::string ConvolutionBatchNorm::describe() const { return fmt::format("{} epsilon {}", convolution.describe(), epsilon); }

std::vector<engine::Port> ConvolutionBatchNorm::inputs() const {
  using engine::Role;
  std::vector<engine::Port> ports{{"x"},
                                  {"w", Role::parameter},
                                  {"gamma", Role::parameter},
                                  {"beta", Role::parameter},
                                  {"running_mean", Role::statistic, false},
                                  {"running_var", Role::statistic, false}};
  if (tail == Tail::add_relu) ports.push_back({"z"});
  return ports;
}

std::vector<Shape> ConvolutionBatchNorm::infer(std::string_view node, std::span<const Shape> shapes) const {
  const std::vector<Shape> y = convolution.infer(node, shapes.first(2));
  const Shape& w = shapes[kW];
  const auto ports = inputs();
  for (std::size_t i = kGamma; i <= kRunningVar; ++i)
    engine::require(shapes[i] == Shape{w[0]}, kind(), node,
                    fmt::format("{} must be ({}) for w {}, got {}", ports[i].name, w[0], w.text(), shapes[i].text()));
  if (tail == Tail::add_relu)
    engine::require(shapes[kZ] == y.front(), kind(), node,
                    fmt::format("z must be {} as y is, got {}", y.front().text(), shapes[kZ].text()));
  return y;
}

void ConvolutionBatchNorm::reference(Pass, const engine::ReferenceArguments& a) const {
  using engine::View;
  const View &w = a.inputs[kW], &y = a.outputs[0];
  std::vector<double> weights(static_cast<std::size_t>(w.count())), shifts(static_cast<std::size_t>(w.shape[0]));
  const View folded{weights.data(), w.shape}, shift{shifts.data(), Shape{w.shape[0]}};
  reference::fold_batch_norm(w, a.inputs[kGamma], a.inputs[kBeta], a.inputs[kRunningMean], a.inputs[kRunningVar], epsilon,
                             folded, shift);
  reference::convolution_y(convolution.geometry, a.inputs[kX], folded, y);
  reference::add_shift(shift, tail == Tail::add_relu ? a.inputs[kZ] : View{}, tail != Tail::none, y);
}

// ---- the fast path -------------------------------------------------------------------------------------------------

namespace {

// γ·r, by which the channel's weights are multiplied.
double scale_of(float gamma, float variance, double epsilon) {
  return static_cast<double>(gamma) / std::sqrt(static_cast<double>(variance) + epsilon);
}

// Reads w, γ, σ̄²; writes w' as the method wants it.
Operand pack_weights(Emitter& emitter, const ConvolutionMethod& method, const Shape& w, double epsilon) {
  const bool plain = method.weights_as_they_are();
  const ConvolutionPacker pack(method);
  const std::int64_t channels = w[0], weights = w.count() / w[0];
  const std::size_t folded_bytes = plain ? 0 : engine::aligned(static_cast<std::size_t>(w.count()) * sizeof(float));
  const bool unscaled = mutated("convolution_batch_norm.fast.w");
  const auto kernel = [=](Lane& lane, const Arguments& a) {
    const float *from = a.read<float>(0), *gamma = a.read<float>(1), *variance = a.read<float>(2);
    float* folded = plain ? a.write<float>(0) : a.scratch<float>();
    lane.parallel(channels, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t k = begin; k < end; ++k) {
        const double scale = unscaled ? gamma[k] : scale_of(gamma[k], variance[k], epsilon);
        for (std::int64_t i = k * weights; i < (k + 1) * weights; ++i)
          folded[i] = static_cast<float>(static_cast<double>(from[i]) * scale);
      }
    });
    if (!plain) pack(lane, folded, a.write(0), a.scratch<float>() + folded_bytes / sizeof(float));
  };
  return emitter.pack({{in(ConvolutionBatchNorm::kW), in(ConvolutionBatchNorm::kGamma), in(ConvolutionBatchNorm::kRunningVar)},
                       fmt::format("{}, folded with {}", plain ? "plain" : method.weights_key(), epsilon),
                       method.algorithm.weights_bytes(),
                       folded_bytes + pack.room_bytes(),
                       kernel});
}

// Reads γ, β, μ̄, σ̄²; writes b.
Operand pack_shift(Emitter& emitter, std::int64_t channels, double epsilon) {
  const bool forgets_mean = mutated("convolution_batch_norm.fast.b");
  const auto kernel = [=](Lane&, const Arguments& a) {
    const float *gamma = a.read<float>(0), *beta = a.read<float>(1);
    const float *mean = a.read<float>(2), *variance = a.read<float>(3);
    for (std::int64_t k = 0; k < channels; ++k) {
      const double shift = forgets_mean ? 0 : static_cast<double>(mean[k]) * scale_of(gamma[k], variance[k], epsilon);
      a.write<float>(0)[k] = static_cast<float>(static_cast<double>(beta[k]) - shift);
    }
  };
  return emitter.pack({{in(ConvolutionBatchNorm::kGamma), in(ConvolutionBatchNorm::kBeta),
                        in(ConvolutionBatchNorm::kRunningMean), in(ConvolutionBatchNorm::kRunningVar)},
                       fmt::format("shift, folded with {}", epsilon),
                       static_cast<std::size_t>(channels) * sizeof(float),
                       0,
                       kernel});
}

// y ← z, unless z lies there already.
void copy(Lane& lane, const void* z, void* y, std::size_t bytes) {
  if (z == y) return;
  lane.parallel(static_cast<std::int64_t>(bytes), [&](std::int64_t begin, std::int64_t end, int) {
    std::memcpy(static_cast<std::byte*>(y) + begin, static_cast<const std::byte*>(z) + begin, static_cast<std::size_t>(end - begin));
  });
}

void emit(Emitter& emitter, const ConvolutionMethod& method, const Shape& w, double epsilon, bool add) {
  const Operand weights = pack_weights(emitter, method, w, epsilon);
  const Operand shift = pack_shift(emitter, w[0], epsilon);
  const onednn::Primitive primitive = method.algorithm.make();
  const std::size_t bytes = method.problem.y.bytes();
  std::vector<Operand> reads{in(ConvolutionBatchNorm::kX), weights, shift};
  if (add) reads.push_back(in(ConvolutionBatchNorm::kZ));
  emitter.task({"", reads, {out()}, primitive.scratch_bytes(), [=](Lane& lane, const Arguments& a) {
                  if (add) copy(lane, a.read(3), a.write(0), bytes);
                  primitive.execute({a.read(0), a.read(1), a.read(2), a.write(0)}, a.scratch());
                }});
}
}  // namespace

std::vector<Candidate> ConvolutionBatchNorm::candidates(const Query& query) const {
  const bool add = tail == Tail::add_relu;
  const ConvolutionTail behind{.bias = true,
                               .add_to_y = add && !mutated("convolution_batch_norm.fast.z"),
                               .relu = tail != Tail::none && !mutated("convolution_batch_norm.fast.relu")};
  // x is read while y is written, so z must not be x.
  const bool may_replace_z = add && query.node.inputs[kX] != query.node.inputs[kZ];
  std::vector<Candidate> candidates;
  for (const ConvolutionMethod& method : convolution_methods(query, convolution.geometry, behind)) {
    Candidate candidate;
    candidate.id = method.id;
    candidate.implementation = method.algorithm.implementation();
    candidate.products = method.products();
    candidate.types = {{in(kX), method.problem.x}, {out(), method.problem.y}};
    if (add) candidate.types.push_back({in(kZ), method.problem.y});
    if (may_replace_z) candidate.in_place = {{out(), in(kZ)}};
    candidate.emit = [method, w = query.inputs[kW], epsilon = epsilon, add](Emitter& emitter) {
      emit(emitter, method, w, epsilon, add);
    };
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}
}  // namespace autodidact::ops
