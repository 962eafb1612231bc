#include "ops/cross_entropy.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "engine/mutation.hpp"
#include "ops/reference/cross_entropy.hpp"
#include "ops/softmax_rows.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Role, engine::Shape;

namespace {

struct Batch {
  const float* z;
  const std::int32_t *y1, *y2;
  float mix, smoothing, inv_batch;
  std::int64_t classes;

  // The weights in t of the first label, of the second, and of every class.
  float first() const { return (1 - smoothing) * mix; }
  float second() const { return (1 - smoothing) * (1 - mix); }
  float every() const { return smoothing / static_cast<float>(classes); }
};

// A task's first six reads are the node's inputs.
Batch batch_of(const Arguments& arguments, std::int64_t classes) {
  using Op = CrossEntropy;
  return {arguments.read<float>(Op::kZ),
          arguments.read<std::int32_t>(Op::kY1),
          arguments.read<std::int32_t>(Op::kY2),
          *arguments.read<float>(Op::kMix),
          *arguments.read<float>(Op::kSmoothing),
          *arguments.read<float>(Op::kInvBatch),
          classes};
}

// losses[n] = log Σ_q exp(z_q − m) − Σ_q t_q·(z_q − m), because t sums to 1.
AUTODIDACT_KERNEL void row_losses(const Batch& batch, std::int64_t begin, std::int64_t end,
                                  double* losses) {
  const bool wrong = mutated("cross_entropy.fast.loss");  // the second label counts as the first
  const float second = wrong ? batch.first() : batch.second();
  for (std::int64_t n = begin; n < end; ++n) {
    const float* z = batch.z + n * batch.classes;
    const float max = row_max(z, batch.classes);
    double expected = batch.first() * (z[batch.y1[n]] - max) + second * (z[batch.y2[n]] - max);
    if (batch.smoothing != 0) {
      double sum = 0;
      for (std::int64_t q = 0; q < batch.classes; ++q) sum += z[q] - max;
      expected += batch.every() * sum;
    }
    losses[n] = std::log(sum_of_exponentials(z, batch.classes, max, 1.0F)) - expected;
  }
}

AUTODIDACT_KERNEL void row_gradients(const Batch& batch, float dloss, std::int64_t begin,
                                     std::int64_t end, float* dz_rows) {
  const bool wrong = mutated("cross_entropy.fast.dz");  // forgets the smoothing of every class
  const float scale = dloss * batch.inv_batch, every = wrong ? 0 : batch.every();
  for (std::int64_t n = begin; n < end; ++n) {
    const float* z = batch.z + n * batch.classes;
    float* dz = dz_rows + n * batch.classes;
    const double sum = exponentials(z, batch.classes, row_max(z, batch.classes), 1.0F, dz);
    const auto inverse = static_cast<float>(1 / sum);
    for (std::int64_t q = 0; q < batch.classes; ++q) dz[q] = scale * (dz[q] * inverse - every);
    dz[batch.y1[n]] -= scale * batch.first();
    dz[batch.y2[n]] -= scale * batch.second();
  }
}

std::vector<engine::Operand> all_inputs() {
  return {in(CrossEntropy::kZ),   in(CrossEntropy::kY1),        in(CrossEntropy::kY2),
          in(CrossEntropy::kMix), in(CrossEntropy::kSmoothing), in(CrossEntropy::kInvBatch)};
}

void emit_forward(Emitter& emitter, std::int64_t samples, std::int64_t classes) {
  const std::size_t scratch = static_cast<std::size_t>(samples) * sizeof(double);
  emitter.task({"", all_inputs(), {out()}, scratch, [=](Lane& lane, const Arguments& arguments) {
                  const Batch batch = batch_of(arguments, classes);
                  auto* losses = arguments.scratch<double>();
                  lane.parallel(samples, [&](std::int64_t begin, std::int64_t end, int) {
                    row_losses(batch, begin, end, losses);
                  });
                  // Row by row on one thread: the same sum for any number of threads.
                  const double sum = std::accumulate(losses, losses + samples, 0.0);
                  *arguments.write<float>(0) = static_cast<float>(batch.inv_batch * sum);
                }});
}

void emit_backward(Emitter& emitter, std::int64_t samples, std::int64_t classes) {
  auto reads = all_inputs();
  const int dloss = static_cast<int>(reads.size());
  reads.push_back(d_out());
  emitter.task(
      {"", reads, {d_in(CrossEntropy::kZ)}, 0, [=](Lane& lane, const Arguments& arguments) {
         const Batch batch = batch_of(arguments, classes);
         lane.parallel(samples, [&](std::int64_t begin, std::int64_t end, int) {
           row_gradients(batch, *arguments.read<float>(dloss), begin, end,
                         arguments.write<float>(0));
         });
       }});
}
}  // namespace

std::vector<engine::Port> CrossEntropy::inputs() const {
  return {{"z"},
          {"y1", Role::label, false},
          {"y2", Role::label, false},
          {"mix", Role::scalar, false},
          {"smoothing", Role::scalar, false},
          {"inv_batch", Role::scalar, false}};
}

std::vector<Shape> CrossEntropy::infer(std::string_view node, std::span<const Shape> inputs) const {
  const Shape& z = inputs[kZ];
  engine::require(z.rank() == 2 && z.count() > 0, kind(), node,
                  fmt::format("z must be (N,Q), got {}", z.text()));
  for (const int label : {kY1, kY2})
    engine::require(inputs[label] == Shape{z[0]}, kind(), node,
                    fmt::format("y{} must be ({}), one label for each row of z, got {}", label,
                                z[0], inputs[label].text()));
  const auto ports = this->inputs();
  for (int i = kMix; i <= kInvBatch; ++i)
    engine::require(inputs[i].rank() == 0, kind(), node,
                    fmt::format("{} must be one number, got {}", ports[i].name, inputs[i].text()));
  return {Shape{}};
}

std::vector<engine::BackwardTask> CrossEntropy::backward() const {
  return {{Pass::backward, {d_in(kZ)}}};
}

void CrossEntropy::reference(Pass pass, const engine::ReferenceArguments& a) const {
  const reference::CrossEntropyInputs inputs{a.inputs[kZ],         a.inputs[kY1],
                                             a.inputs[kY2],        a.inputs[kMix],
                                             a.inputs[kSmoothing], a.inputs[kInvBatch]};
  if (pass == Pass::forward)
    reference::cross_entropy_forward(inputs, a.outputs[0]);
  else if (a.d_inputs[kZ])
    reference::cross_entropy_backward(inputs, a.d_outputs[0], a.d_inputs[kZ]);
}

std::vector<Candidate> CrossEntropy::candidates(const Query& query) const {
  const std::int64_t samples = query.inputs[kZ][0], classes = query.inputs[kZ][1];
  Candidate own;
  own.id = "own";
  own.implementation = "own: rows";
  own.emit = [=, forward = query.pass == Pass::forward](Emitter& emitter) {
    forward ? emit_forward(emitter, samples, classes) : emit_backward(emitter, samples, classes);
  };
  return {own};
}
}  // namespace autodidact::ops
