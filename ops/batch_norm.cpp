#include "ops/batch_norm.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ops/batch_norm_tasks.hpp"
#include "ops/reference/batch_norm.hpp"
#include "ops/reference/batch_norm_statistics.hpp"

namespace autodidact::ops {
using engine::Candidate, engine::d_in, engine::d_out, engine::DType, engine::Emitter, engine::in;
using engine::Mode, engine::Operand, engine::out, engine::Pass, engine::Query, engine::Shape;
using engine::TensorType;

std::string_view BatchNorm::kind() const {
  if (tail == Tail::none) return "batch_norm";
  return tail == Tail::relu ? "batch_norm_relu" : "batch_norm_add_relu";
}

std::string BatchNorm::describe() const {
  return fmt::format("{} epsilon {} momentum {}", kind(), options.epsilon, options.momentum);
}

std::vector<engine::Port> BatchNorm::inputs() const {
  using engine::Role;
  std::vector<engine::Port> ports{{"x"},
                                  {"gamma", Role::parameter},
                                  {"beta", Role::parameter},
                                  {"running_mean", Role::statistic, false},
                                  {"running_var", Role::statistic, false}};
  if (tail == Tail::add_relu) ports.push_back({"z"});
  return ports;
}

std::vector<Shape> BatchNorm::infer(std::string_view node, std::span<const Shape> shapes) const {
  const Shape& x = shapes[kX];
  engine::require(x.rank() == 4, kind(), node,
                  fmt::format("x must be (N,C,H,W), got {}", x.text()));
  const auto ports = inputs();
  for (std::size_t i = kGamma; i <= kRunningVar; ++i)
    engine::require(shapes[i] == Shape{x[1]}, kind(), node,
                    fmt::format("{} must be ({}) for x {}, got {}", ports[i].name, x[1], x.text(),
                                shapes[i].text()));
  if (tail == Tail::add_relu)
    engine::require(shapes[kZ] == x, kind(), node,
                    fmt::format("z must be {} as x is, got {}", x.text(), shapes[kZ].text()));
  return {x};
}

std::vector<engine::BackwardTask> BatchNorm::backward() const {
  std::vector<Operand> writes{d_in(kX), d_in(kGamma), d_in(kBeta)};
  if (tail == Tail::add_relu) writes.push_back(d_in(kZ));
  return {{Pass::backward, writes}};
}

namespace {
void require_samples(const BatchNorm& op, std::string_view node, const Shape& x, int ranks) {
  engine::require(
      x[0] * x[2] * x[3] * ranks >= 2, op.kind(), node,
      fmt::format("needs N·H·W ≥ 2 in training, because one sample has no variance; got x {}",
                  x.text()));
}
}  // namespace

std::vector<Shape> BatchNorm::reference_keeps(std::span<const Shape> shapes) const {
  const Shape channels{shapes[kX][1]};
  if (tail == Tail::none) return {channels, channels};
  return {channels, channels, shapes[kX]};
}

void BatchNorm::reference(Pass pass, const engine::ReferenceArguments& a) const {
  using engine::View;
  const View &x = a.inputs[kX], &mean = a.kept[0], &variance = a.kept[1];
  const View mask = tail == Tail::none ? View{} : a.kept[2], none;
  const bool training = a.mode == Mode::train, add = tail == Tail::add_relu;
  if (pass == Pass::forward) {
    if (training) {
      require_samples(*this, "reference", x.shape, 1);
      reference::batch_norm_statistics(x, mean, variance);
    } else {
      std::copy_n(a.inputs[kRunningMean].data, mean.count(), mean.data);
      std::copy_n(a.inputs[kRunningVar].data, variance.count(), variance.data);
    }
    reference::batch_norm_forward(x, a.inputs[kGamma], a.inputs[kBeta], mean, variance,
                                  add ? a.inputs[kZ] : none, options.epsilon, a.replay,
                                  a.outputs[0], mask);
  } else if (pass == Pass::backward) {
    reference::batch_norm_backward(x, a.inputs[kGamma], mean, variance, mask, a.d_outputs[0],
                                   options.epsilon, training, a.d_inputs[kX], a.d_inputs[kGamma],
                                   a.d_inputs[kBeta], add ? a.d_inputs[kZ] : none);
  } else {
    const double samples = static_cast<double>(x.count() / x.shape[1]);
    reference::batch_norm_running(mean, variance, samples, options.momentum, a.inputs[kRunningMean],
                                  a.inputs[kRunningVar], a.staged[kRunningMean],
                                  a.staged[kRunningVar]);
  }
}

std::vector<Candidate> BatchNorm::candidates(const Query& query) const {
  const Shape& x = query.inputs[kX];
  const bool training = query.mode == Mode::train, add = tail == Tail::add_relu;
  if (training) require_samples(*this, query.node.name, x, query.ranks);
  Candidate base;
  base.id = "own";
  if (training) base.keeps_key = "mean, rstd, variance";
  if (query.pass == Pass::commit) {
    base.implementation = "own: running statistics";
    base.emit = [channels = x[1], momentum = options.momentum](Emitter& e) {
      emit_batch_norm_commit(e, channels, momentum);
    };
    return {base};
  }
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType type = query.type(x, block);
    const bool takes_summands = query.d_output_summands <= batch_norm_kernels::kMaxSummands;
    const auto wanted = [&](int i) { return query.needs_gradient[static_cast<std::size_t>(i)]; };
    const BatchNormPlan plan{batch_norm_kernels::Sweep(type),
                             options,
                             tail,
                             training,
                             query.threads,
                             query.ranks,
                             takes_summands ? query.d_output_summands : 1,
                             wanted(kX),
                             wanted(kGamma),
                             wanted(kBeta),
                             add && wanted(kZ)};
    Candidate own = base;
    own.types = {{in(kX), type}};
    if (query.pass == Pass::forward) {
      own.implementation = training ? "own: two sweeps" : "own: one sweep";
      own.types.push_back({out(), type});
      own.in_place = {{out(), in(kX)}};
      if (add) own.types.push_back({in(kZ), type});
      if (add) own.in_place.push_back({out(), in(kZ)});
      if (training) {
        own.keeps.assign(kBatchNormKeeps, TensorType{{x[1]}, DType::f32, {}});
        own.again = [plan](Emitter& e) { emit_batch_norm_again(e, plan); };
      } else {
        own.again = [plan](Emitter& e) { emit_batch_norm_inference(e, plan); };
      }
      own.emit = [plan](Emitter& e) {
        plan.training ? emit_batch_norm_training(e, plan) : emit_batch_norm_inference(e, plan);
      };
    } else {
      own.implementation = "own: two sweeps";
      own.types.push_back({d_out(), type});
      if (add) own.types.push_back({out(), type});
      if (plan.dx) own.types.push_back({d_in(kX), type});
      if (plan.dz) own.types.push_back({d_in(kZ), type});
      if (plan.dx) own.in_place = {{d_in(kX), in(kX)}, {d_in(kX), d_out()}};
      if (plan.dz) own.in_place.push_back({d_in(kZ), d_out()});
      own.takes_summands = takes_summands;
      own.emit = [plan](Emitter& e) { emit_batch_norm_backward(e, plan); };
    }
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
