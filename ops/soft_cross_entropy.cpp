#include "ops/soft_cross_entropy.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "engine/mutation.hpp"
#include "ops/reference/soft_cross_entropy.hpp"
#include "ops/softmax_rows.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Role, engine::Shape;

namespace {

struct Pair {
  const float *z, *teacher;
  float temperature, inv_batch;
  std::int64_t classes;
};

// A task's first four reads are the node's inputs.
Pair pair_of(const Arguments& arguments, std::int64_t classes) {
  using Op = SoftCrossEntropy;
  return {arguments.read<float>(Op::kZ), arguments.read<float>(Op::kTeacher),
          *arguments.read<float>(Op::kTemperature), *arguments.read<float>(Op::kInvBatch), classes};
}

// losses[n] = log Σ_q exp((z_q − m)/T) − Σ_q r_q·(z_q − m)/T, because r sums to 1.
AUTODIDACT_KERNEL void soft_row_losses(const Pair& pair, std::int64_t begin, std::int64_t end,
                                       double* losses) {
  const bool wrong = mutated("soft_cross_entropy.fast.loss");  // forgets 1/T behind the weights r
  constexpr std::int64_t kPart = 128;
  float e[kPart];
  const float inverse = 1 / pair.temperature;
  for (std::int64_t n = begin; n < end; ++n) {
    const float* z = pair.z + n * pair.classes;
    const float* t = pair.teacher + n * pair.classes;
    const float max = row_max(z, pair.classes), teacher_max = row_max(t, pair.classes);
    double sum = 0, expected = 0;
    for (std::int64_t first = 0; first < pair.classes; first += kPart) {
      const std::int64_t count = std::min(kPart, pair.classes - first);
      sum += exponentials(t + first, count, teacher_max, inverse, e);
      for (std::int64_t q = 0; q < count; ++q)
        expected += static_cast<double>(e[q] * (z[first + q] - max));
    }
    expected *= (wrong ? 1.0F : inverse) / sum;
    losses[n] = std::log(sum_of_exponentials(z, pair.classes, max, inverse)) - expected;
  }
}

AUTODIDACT_KERNEL void soft_row_gradients(const Pair& pair, float dloss, std::int64_t begin,
                                          std::int64_t end, float* dz_rows) {
  const bool wrong = mutated("soft_cross_entropy.fast.dz");  // the teacher is not softened
  const float inverse = 1 / pair.temperature, teacher_inverse = wrong ? 1.0F : inverse;
  const float scale = dloss * pair.inv_batch * inverse;
  for (std::int64_t n = begin; n < end; ++n) {
    const float* z = pair.z + n * pair.classes;
    const float* t = pair.teacher + n * pair.classes;
    float* dz = dz_rows + n * pair.classes;
    const float teacher_max = row_max(t, pair.classes);
    const auto r =
        static_cast<float>(1 / sum_of_exponentials(t, pair.classes, teacher_max, teacher_inverse));
    const auto p = static_cast<float>(
        1 / exponentials(z, pair.classes, row_max(z, pair.classes), inverse, dz));
    for (std::int64_t q = 0; q < pair.classes; ++q)
      dz[q] = scale * (dz[q] * p - fast_exp((t[q] - teacher_max) * teacher_inverse) * r);
  }
}

std::vector<engine::Operand> all_inputs() {
  using Op = SoftCrossEntropy;
  return {in(Op::kZ), in(Op::kTeacher), in(Op::kTemperature), in(Op::kInvBatch)};
}

void emit_forward(Emitter& emitter, std::int64_t samples, std::int64_t classes) {
  const std::size_t scratch = static_cast<std::size_t>(samples) * sizeof(double);
  emitter.task({"", all_inputs(), {out()}, scratch, [=](Lane& lane, const Arguments& arguments) {
                  const Pair pair = pair_of(arguments, classes);
                  auto* losses = arguments.scratch<double>();
                  lane.parallel(samples, [&](std::int64_t begin, std::int64_t end, int) {
                    soft_row_losses(pair, begin, end, losses);
                  });
                  // Row by row on one thread: the same sum for any number of threads.
                  const double sum = std::accumulate(losses, losses + samples, 0.0);
                  *arguments.write<float>(0) = static_cast<float>(pair.inv_batch * sum);
                }});
}

void emit_backward(Emitter& emitter, std::int64_t samples, std::int64_t classes) {
  auto reads = all_inputs();
  const int dloss = static_cast<int>(reads.size());
  reads.push_back(d_out());
  emitter.task(
      {"", reads, {d_in(SoftCrossEntropy::kZ)}, 0, [=](Lane& lane, const Arguments& arguments) {
         const Pair pair = pair_of(arguments, classes);
         lane.parallel(samples, [&](std::int64_t begin, std::int64_t end, int) {
           soft_row_gradients(pair, *arguments.read<float>(dloss), begin, end,
                              arguments.write<float>(0));
         });
       }});
}
}  // namespace

std::vector<engine::Port> SoftCrossEntropy::inputs() const {
  return {{"z"},
          {"teacher", Role::activation, false},
          {"temperature", Role::scalar, false},
          {"inv_batch", Role::scalar, false}};
}

std::vector<Shape> SoftCrossEntropy::infer(std::string_view node,
                                           std::span<const Shape> inputs) const {
  const Shape& z = inputs[kZ];
  engine::require(z.rank() == 2 && z.count() > 0, kind(), node,
                  fmt::format("z must be (N,Q), got {}", z.text()));
  engine::require(
      inputs[kTeacher] == z, kind(), node,
      fmt::format("teacher must be {} as z is, got {}", z.text(), inputs[kTeacher].text()));
  const auto ports = this->inputs();
  for (int i = kTemperature; i <= kInvBatch; ++i)
    engine::require(inputs[i].rank() == 0, kind(), node,
                    fmt::format("{} must be one number, got {}", ports[i].name, inputs[i].text()));
  return {Shape{}};
}

std::vector<engine::BackwardTask> SoftCrossEntropy::backward() const {
  return {{Pass::backward, {d_in(kZ)}}};
}

void SoftCrossEntropy::reference(Pass pass, const engine::ReferenceArguments& a) const {
  const reference::SoftCrossEntropyInputs inputs{a.inputs[kZ], a.inputs[kTeacher],
                                                 a.inputs[kTemperature], a.inputs[kInvBatch]};
  if (pass == Pass::forward)
    reference::soft_cross_entropy_forward(inputs, a.outputs[0]);
  else if (a.d_inputs[kZ])
    reference::soft_cross_entropy_backward(inputs, a.d_outputs[0], a.d_inputs[kZ]);
}

std::vector<Candidate> SoftCrossEntropy::candidates(const Query& query) const {
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
