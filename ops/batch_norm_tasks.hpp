// ops/batch_norm_tasks.hpp: the tasks of each pass of batch norm on the fast path. Internal to ops/batch_norm.cpp.
#pragma once
#include "engine/op.hpp"
#include "ops/batch_norm.hpp"
#include "ops/batch_norm_kernels.hpp"

namespace autodidact::ops {

inline constexpr std::size_t kBatchNormKeeps = 3;  // μ, r, σ²·M/(M−1): (C), f32

// All that the tasks of one pass need to know; copied into their kernels.
struct BatchNormPlan {
  batch_norm_kernels::Sweep sweep;
  BatchNormOptions options;
  Tail tail;
  bool training;
  int threads, ranks;
  int summands;                // of dy, that the kernels add themselves
  bool dx, dgamma, dbeta, dz;  // which gradients are wanted
};

// statistics · [sum over ranks] · normalise
void emit_batch_norm_training(engine::Emitter& emitter, const BatchNormPlan& plan);
// y again, from the statistics that training kept
void emit_batch_norm_again(engine::Emitter& emitter, const BatchNormPlan& plan);
// one task, with the running statistics
void emit_batch_norm_inference(engine::Emitter& emitter, const BatchNormPlan& plan);
// reduce (dγ, dβ, dz) · [sum over ranks] · apply (dx)
void emit_batch_norm_backward(engine::Emitter& emitter, const BatchNormPlan& plan);
void emit_batch_norm_commit(engine::Emitter& emitter, std::int64_t channels, double momentum);
}  // namespace autodidact::ops
