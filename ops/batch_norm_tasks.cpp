#include "ops/batch_norm_tasks.hpp"

#include <algorithm>
#include <cmath>

#include "engine/mutation.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::d_in, engine::d_out, engine::Emitter, engine::in, engine::kept;
using engine::Lane, engine::mutated, engine::Operand, engine::out, engine::staged;
namespace kernels = batch_norm_kernels;
using kernels::Mask;
using Plan = BatchNormPlan;

namespace {

// What forward keeps in training.
enum Kept { kMean, kRstd, kUnbiasedVariance };

Mask mask_of(const Plan& plan) {
  if (plan.tail == Tail::none) return Mask::none;
  if (plan.tail == Tail::relu)
    return mutated("batch_norm_relu.fast.mask") ? Mask::none : Mask::recompute;
  return mutated("batch_norm_add_relu.fast.mask") ? Mask::none : Mask::output;
}
std::size_t sums_bytes(const Plan& plan) { return plan.sweep.sums_count() * sizeof(double); }

// γ, β and the statistics, as factors of a sweep. `rstd`: r, or σ̄² in inference.
kernels::Factors affine_factors(const Plan& plan, const float* mean, const float* rstd,
                                const float* gamma, const float* beta, void* scratch) {
  const kernels::Factors f = kernels::factors(plan.sweep, scratch);
  const auto epsilon = static_cast<float>(plan.options.epsilon);
  const bool forgets_root = mutated("batch_norm.fast.running_rstd");
  const bool forgets_scale = mutated("batch_norm.fast.y");
  for (std::int64_t c = 0; c < plan.sweep.channels; ++c) {
    float r = rstd[c];
    if (!plan.training) r = 1 / (forgets_root ? r + epsilon : std::sqrt(r + epsilon));
    f.mean[c] = mean[c];
    f.rstd[c] = r;
    f.scale[c] = forgets_scale ? r : gamma[c] * r;
    f.shift[c] = beta[c];
  }
  return f;
}

// μ, r and the unbiased variance from Σx, Σx² and M.
void finish_statistics(const Plan& plan, const double* sums, float* mean, float* rstd,
                       float* unbiased) {
  const double m = sums[2 * plan.sweep.padded];
  const double mean_divisor = mutated("batch_norm.fast.mean") ? m - 1 : m;
  const double variance_factor = mutated("batch_norm.fast.variance") ? m / (m - 1) : 1;
  for (std::int64_t c = 0; c < plan.sweep.channels; ++c) {
    const double mu = sums[c] / mean_divisor;
    const double variance = std::max(0.0, sums[plan.sweep.padded + c] / m - mu * mu);
    mean[c] = static_cast<float>(mu);
    rstd[c] = static_cast<float>(1 / std::sqrt(variance * variance_factor + plan.options.epsilon));
    unbiased[c] = static_cast<float>(variance * m / (m - 1));
  }
}

void normalise(const Plan& plan, Lane& lane, const kernels::Factors& f, const void* x,
               const void* z, void* y) {
  const bool forgets_z = mutated("batch_norm_add_relu.fast.y");
  const bool relu = plan.tail != Tail::none && !mutated("batch_norm_relu.fast.y");
  kernels::normalise(lane, plan.sweep, f, x, forgets_z ? nullptr : z, y, relu);
}

// The first five reads of both backward tasks.
std::vector<Operand> backward_reads(const Plan& plan) {
  return {in(BatchNorm::kX), plan.training ? kept(kMean) : in(BatchNorm::kRunningMean),
          plan.training ? kept(kRstd) : in(BatchNorm::kRunningVar), in(BatchNorm::kGamma),
          in(BatchNorm::kBeta)};
}
kernels::Factors backward_factors(const Plan& plan, const Arguments& a) {
  return affine_factors(plan, a.read<float>(1), a.read<float>(2), a.read<float>(3),
                        a.read<float>(4), a.scratch());
}

// The summands of dy and, with z, y: appended to `reads`, and found there again from `first` on.
void read_gradient(const Plan& plan, std::vector<Operand>& reads) {
  for (int k = 0; k < plan.summands; ++k) reads.push_back(d_out(0, k));
  if (plan.tail == Tail::add_relu) reads.push_back(out());
}
kernels::Gradient gradient_at(const Plan& plan, const Arguments& a, int first) {
  kernels::Gradient dy{{}, plan.summands, mask_of(plan), nullptr};
  for (int k = 0; k < plan.summands; ++k) dy.summands[k] = a.read(first + k);
  if (plan.tail == Tail::add_relu) dy.output = a.read(first + plan.summands);
  return dy;
}

// dβ, dγ from Σdy' and Σdy'·(x−μ), of this rank.
void write_parameter_gradients(const Plan& plan, const double* sums, const float* rstd,
                               float* dgamma, float* dbeta) {
  const double sign = mutated("batch_norm.fast.dgamma") ? -1 : 1;
  const double factor = mutated("batch_norm.fast.dbeta") ? 1 / sums[2 * plan.sweep.padded] : 1;
  for (std::int64_t c = 0; c < plan.sweep.channels; ++c) {
    if (dgamma)
      dgamma[c] =
          static_cast<float>(sign * sums[plan.sweep.padded + c] * static_cast<double>(rstd[c]));
    if (dbeta) dbeta[c] = static_cast<float>(factor * sums[c]);
  }
}

Operand emit_reduce(Emitter& emitter, const Plan& plan) {
  const Operand sums = emitter.temporary(sums_bytes(plan));
  std::vector<Operand> reads = backward_reads(plan), writes{sums};
  const int first = static_cast<int>(reads.size());
  read_gradient(plan, reads);
  if (plan.dz) writes.push_back(d_in(BatchNorm::kZ));
  if (plan.dgamma) writes.push_back(d_in(BatchNorm::kGamma));
  if (plan.dbeta) writes.push_back(d_in(BatchNorm::kBeta));
  emitter.task({"reduce", reads, writes, plan.sweep.scratch_bytes(plan.threads),
                [plan, first](Lane& lane, const Arguments& a) {
                  int next = 1;
                  void* dz = plan.dz ? a.write(next++) : nullptr;
                  float* dgamma = plan.dgamma ? a.write<float>(next++) : nullptr;
                  float* dbeta = plan.dbeta ? a.write<float>(next) : nullptr;
                  const auto f = backward_factors(plan, a);
                  kernels::reduce(lane, plan.sweep, f, a.read(0),
                                  gradient_at(plan, a, first), dz, a.write<double>(0), a.scratch());
                  write_parameter_gradients(plan, a.write<double>(0), f.rstd, dgamma, dbeta);
                }});
  return sums;
}

// dx. Where dz has been written it is dy', and neither y nor dy need be read again.
void emit_apply(Emitter& emitter, const Plan& plan, Operand sums) {
  std::vector<Operand> reads = backward_reads(plan);
  reads.push_back(sums);
  const int first = static_cast<int>(reads.size());
  if (plan.dz)
    reads.push_back(d_in(BatchNorm::kZ));
  else
    read_gradient(plan, reads);
  emitter.task(
      {"apply",
       reads,
       {d_in(BatchNorm::kX)},
       plan.sweep.scratch_bytes(plan.threads),
       [plan, first](Lane& lane, const Arguments& a) {
         const auto f = backward_factors(plan, a);
         const auto* totals = a.read<double>(first - 1);
         const double m = totals[2 * plan.sweep.padded];
         const double by_mean = plan.training && !mutated("batch_norm.fast.dx_mean") ? 1 / m : 0;
         const double by_variance =
             plan.training && !mutated("batch_norm.fast.dx_variance") ? 1 / m : 0;
         for (std::int64_t c = 0; c < plan.sweep.channels; ++c) {
           const auto r = static_cast<double>(f.rstd[c]);
           f.centre[c] = static_cast<float>(totals[c] * by_mean);
           f.slope[c] = static_cast<float>(r * r * totals[plan.sweep.padded + c] * by_variance);
         }
         const kernels::Gradient dz{{a.read(first)}, 1, Mask::none, nullptr};
         kernels::apply(lane, plan.sweep, f, a.read(0),
                        plan.dz ? dz : gradient_at(plan, a, first), a.write(0), a.scratch());
       }});
}
}  // namespace

void emit_batch_norm_training(Emitter& emitter, const Plan& plan) {
  const Operand sums = emitter.temporary(sums_bytes(plan));
  emitter.task({"statistics",
                {in(BatchNorm::kX)},
                {sums},
                plan.sweep.scratch_bytes(plan.threads),
                [plan](Lane& lane, const Arguments& a) {
                  kernels::statistics(lane, plan.sweep, a.read(0), a.write<double>(0),
                                      a.scratch());
                }});
  if (plan.ranks > 1) emitter.collective(sums, static_cast<std::int64_t>(plan.sweep.sums_count()));
  const bool add = plan.tail == Tail::add_relu;
  std::vector<Operand> reads{in(BatchNorm::kX), in(BatchNorm::kGamma), in(BatchNorm::kBeta), sums};
  if (add) reads.push_back(in(BatchNorm::kZ));
  emitter.task({"normalise",
                reads,
                {out(), kept(kMean), kept(kRstd), kept(kUnbiasedVariance)},
                plan.sweep.scratch_bytes(0),
                [plan, add](Lane& lane, const Arguments& a) {
                  float *mean = a.write<float>(1), *rstd = a.write<float>(2);
                  finish_statistics(plan, a.read<double>(3), mean, rstd, a.write<float>(3));
                  const auto f = affine_factors(plan, mean, rstd, a.read<float>(1),
                                                a.read<float>(2), a.scratch());
                  normalise(plan, lane, f, a.read(0), add ? a.read(4) : nullptr,
                            a.write(0));
                }});
}

void emit_batch_norm_again(Emitter& emitter, const Plan& plan) {
  const bool add = plan.tail == Tail::add_relu;
  std::vector<Operand> reads{in(BatchNorm::kX), in(BatchNorm::kGamma), in(BatchNorm::kBeta), kept(kMean), kept(kRstd)};
  if (add) reads.push_back(in(BatchNorm::kZ));
  emitter.task({"normalise",
                reads,
                {out()},
                plan.sweep.scratch_bytes(0),
                [plan, add](Lane& lane, const Arguments& a) {
                  const auto f = affine_factors(plan, a.read<float>(3), a.read<float>(4), a.read<float>(1),
                                                a.read<float>(2), a.scratch());
                  normalise(plan, lane, f, a.read(0), add ? a.read(5) : nullptr,
                            a.write(0));
                }});
}

void emit_batch_norm_inference(Emitter& emitter, const Plan& plan) {
  const bool add = plan.tail == Tail::add_relu;
  std::vector<Operand> reads{in(BatchNorm::kX), in(BatchNorm::kGamma), in(BatchNorm::kBeta),
                             in(BatchNorm::kRunningMean), in(BatchNorm::kRunningVar)};
  if (add) reads.push_back(in(BatchNorm::kZ));
  emitter.task({"",
                reads,
                {out()},
                plan.sweep.scratch_bytes(0),
                [plan, add](Lane& lane, const Arguments& a) {
                  const auto f = affine_factors(plan, a.read<float>(3), a.read<float>(4),
                                                a.read<float>(1), a.read<float>(2), a.scratch());
                  normalise(plan, lane, f, a.read(0), add ? a.read(5) : nullptr,
                            a.write(0));
                }});
}

void emit_batch_norm_backward(Emitter& emitter, const Plan& plan) {
  const Operand sums = emit_reduce(emitter, plan);
  if (!plan.dx) return;
  if (plan.ranks > 1 && plan.training)
    emitter.collective(sums, static_cast<std::int64_t>(plan.sweep.sums_count()));
  emit_apply(emitter, plan, sums);
}

void emit_batch_norm_commit(Emitter& emitter, std::int64_t channels, double momentum) {
  emitter.task({"",
                {in(BatchNorm::kRunningMean), in(BatchNorm::kRunningVar), kept(kMean),
                 kept(kUnbiasedVariance)},
                {staged(BatchNorm::kRunningMean), staged(BatchNorm::kRunningVar)},
                0,
                [=](Lane&, const Arguments& a) {
                  const double weights[2] = {
                      mutated("batch_norm.fast.running_mean") ? 1 - momentum : momentum,
                      mutated("batch_norm.fast.running_var") ? 1 - momentum : momentum};
                  for (int i = 0; i < 2; ++i)
                    for (std::int64_t c = 0; c < channels; ++c)
                      a.write<float>(i)[c] = static_cast<float>(
                          (1 - weights[i]) * static_cast<double>(a.read<float>(i)[c]) +
                          weights[i] * static_cast<double>(a.read<float>(2 + i)[c]));
                }});
}
}  // namespace autodidact::ops
