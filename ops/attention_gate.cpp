#include "ops/attention_gate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/mutation.hpp"
#include "ops/interpolation.hpp"
#include "ops/multiply.hpp"
#include "ops/reference/attention_gate.hpp"
#include "ops/sigmoid.hpp"
#include "ops/simd.hpp"
#include "ops/upsample.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

// y may be x: each number is read before it is written.
template <class T>
AUTODIDACT_KERNEL void gate_row(const ExpandedRow& a, const T* x, T* y,
                                std::int64_t count) {
  const float sign = mutated("attention_gate.fast.y") ? -1.0F : 1.0F;  // e^u for e^−u
  const float *low = a.low, *high = a.high, weight = a.weight;
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i)
    y[i] = x[i] * fast_sigmoid(sign * (low[i] + weight * (high[i] - low[i])));
}

// dx may be dy, likewise. Adds du, the gradient of up(a), to the two rows of a that made it.
template <class T>
AUTODIDACT_KERNEL void gate_row_backward(const ExpandedRow& a, const ContractedRow& da, const T* x, const T* dy, T* dx,
                                         std::int64_t count) {
  const bool wrong = mutated("attention_gate.fast.dx");                // forgets the gate
  const float keep = mutated("attention_gate.fast.da") ? 0.0F : 1.0F;  // forgets 1 − g
  const float *low = a.low, *high = a.high, weight = a.weight;
  float *sum_low = da.low, *sum_high = da.high;
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = fast_sigmoid(low[i] + weight * (high[i] - low[i]));
    const float dy_g = dy[i] * g;
    const float du = dy_g * x[i] * (1.0F - keep * g);
    dx[i] = wrong ? static_cast<float>(dy[i]) : dy_g;
    sum_low[i] += (1.0F - weight) * du;
    sum_high[i] += weight * du;
  }
}

// Rows [begin, end), counted over all planes.
template <class T>
void forward_rows(const Interpolation& table, const T* x, const T* a, T* y,
                  float* buffer, std::int64_t begin, std::int64_t end) {
  while (begin < end) {
    const std::int64_t plane = begin / table.out_height, first = begin % table.out_height;
    const std::int64_t last = std::min(table.out_height, first + end - begin);
    ExpandedRows<T> rows(table, a + plane * table.in_plane(), buffer);
    for (std::int64_t h = first; h < last; ++h) {
      const std::int64_t offset = plane * table.out_plane() + h * table.out_row;
      gate_row(rows[h], x + offset, y + offset, table.out_row);
    }
    begin += last - first;
  }
}

template <class T>
void emit_forward(Emitter& emitter, const std::shared_ptr<const Interpolation>& table,
                  int threads) {
  const std::int64_t buffer = table->buffer_elements();
  const std::size_t scratch = static_cast<std::size_t>(threads * buffer) * sizeof(float);
  const auto kernel = [=](Lane& lane, const Arguments& arguments) {
    lane.parallel(table->planes * table->out_height,
                  [&](std::int64_t begin, std::int64_t end, int thread) {
                    forward_rows(*table, arguments.read<T>(0), arguments.read<T>(1),
                                 arguments.write<T>(0),
                                 arguments.scratch<float>() + thread * buffer, begin, end);
                  });
  };
  emitter.task({"", {in(0), in(1)}, {out()}, scratch, kernel});
}

template <class T>
struct Gradients {
  const T *x, *a, *dy;
  T *dx, *da;  // null: not wanted
};

// Whole planes [begin, end), because neighbouring rows of x add to the same rows of da. `buffer`: two of the table's and
// a row for what is not wanted.
template <class T>
void backward_planes(const Interpolation& table, const Gradients<T>& gradients, float* buffer,
                     std::int64_t begin, std::int64_t end) {
  auto* spare_row = reinterpret_cast<T*>(buffer + 2 * table.buffer_elements());
  for (std::int64_t plane = begin; plane < end; ++plane) {
    ExpandedRows<T> rows(table, gradients.a + plane * table.in_plane(), buffer);
    ContractedRows<T> sums(table, gradients.da ? gradients.da + plane * table.in_plane() : nullptr,
                        buffer + table.buffer_elements());
    for (std::int64_t h = 0; h < table.out_height; ++h) {
      const std::int64_t offset = plane * table.out_plane() + h * table.out_row;
      gate_row_backward(rows[h], sums[h], gradients.x + offset, gradients.dy + offset,
                        gradients.dx ? gradients.dx + offset : spare_row, table.out_row);
    }
    sums.finish();
  }
}

template <class T>
void emit_backward(Emitter& emitter, const std::shared_ptr<const Interpolation>& table, int threads,
                   bool wants_dx, bool wants_da) {
  const std::int64_t buffer = 2 * table->buffer_elements() + table->slot_elements;
  const std::size_t scratch = static_cast<std::size_t>(threads * buffer) * sizeof(float);
  std::vector<engine::Operand> writes;
  if (wants_dx) writes.push_back(d_in(0));
  if (wants_da) writes.push_back(d_in(1));
  const auto kernel = [=](Lane& lane, const Arguments& arguments) {
    const Gradients<T> gradients{arguments.read<T>(0), arguments.read<T>(1), arguments.read<T>(2),
                                 wants_dx ? arguments.write<T>(0) : nullptr,
                                 wants_da ? arguments.write<T>(wants_dx ? 1 : 0) : nullptr};
    lane.parallel(table->planes, [&](std::int64_t begin, std::int64_t end, int thread) {
      backward_planes(*table, gradients, arguments.scratch<float>() + thread * buffer, begin, end);
    });
  };
  emitter.task({"", {in(0), in(1), d_out()}, writes, scratch, kernel});
}

// The node that makes `value`, if it is an OpClass and nobody but one node reads the value.
template <class OpClass>
engine::NodeId only_producer(const engine::Graph& graph, engine::ValueId value) {
  const engine::NodeId producer = graph.value(value).producer;
  if (!producer.valid() || !dynamic_cast<const OpClass*>(graph.node(producer).op.get())) return {};
  std::ptrdiff_t readers = graph.loss() == value ? 1 : 0;
  for (const auto& [name, output] : graph.outputs()) readers += output == value ? 1 : 0;
  for (const engine::Node& node : graph.nodes())
    readers += std::count(node.inputs.begin(), node.inputs.end(), value);
  return readers == 1 ? producer : engine::NodeId{};
}
}  // namespace

std::vector<Shape> AttentionGate::infer(std::string_view node,
                                        std::span<const Shape> inputs) const {
  const Shape &x = inputs[0], &a = inputs[1];
  engine::require(x.rank() == 4, kind(), node, "x must be (N,C,H,W), got " + x.text());
  engine::require(
      a.rank() == 4 && a[0] == x[0] && a[1] == x[1] && a[2] >= 1 && a[3] >= 1, kind(), node,
      fmt::format("a must be ({},{},h,w) like x, with h, w ≥ 1, got {}", x[0], x[1], a.text()));
  return {x};
}

std::vector<engine::BackwardTask> AttentionGate::backward() const {
  return {{Pass::backward, {d_in(0), d_in(1)}}};
}

void AttentionGate::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  const auto &x = arguments.inputs[0], &a = arguments.inputs[1];
  if (pass == Pass::forward)
    reference::attention_gate_forward(x, a, arguments.outputs[0]);
  else
    reference::attention_gate_backward(x, a, arguments.d_outputs[0], arguments.d_inputs[0],
                                       arguments.d_inputs[1]);
}

std::vector<Candidate> AttentionGate::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType x = query.type(query.inputs[0], block), a = query.type(query.inputs[1], block);
    const auto table = std::make_shared<const Interpolation>(a, x);
    Candidate own;
    own.id = "own";
    own.implementation = "own: one sweep";
    own.types = {{in(0), x}, {in(1), a}};
    if (query.pass == Pass::forward) {
      own.types.push_back({out(), x});
      own.in_place = {{out(), in(0)}};
      own.emit = [=, threads = query.threads](Emitter& emitter) {
        with_element(x.dtype, [&](auto t) { emit_forward<decltype(t)>(emitter, table, threads); });
      };
      own.again = own.emit;
    } else {
      const bool dx = query.needs_gradient[0], da = query.needs_gradient[1];
      own.types.push_back({d_out(), x});
      if (dx) own.types.push_back({d_in(0), x});
      if (da) own.types.push_back({d_in(1), a});
      own.in_place = {{d_in(0), d_out()}};
      own.emit = [=, threads = query.threads](Emitter& emitter) {
        with_element(x.dtype, [&](auto t) { emit_backward<decltype(t)>(emitter, table, threads, dx, da); });
      };
    }
    candidates.push_back(std::move(own));
  }
  return candidates;
}

std::optional<engine::Rewrite> AttentionGateRule::match(const engine::Graph& graph,
                                                        engine::NodeId root, engine::Mode) const {
  const engine::Node& multiply = graph.node(root);
  if (!dynamic_cast<const Multiply*>(multiply.op.get())) return std::nullopt;
  for (const int gate : {1, 0}) {
    const engine::NodeId sigmoid = only_producer<Sigmoid>(graph, multiply.inputs[gate]);
    if (!sigmoid.valid()) continue;
    const engine::ValueId up = graph.node(sigmoid).inputs[0];
    const engine::NodeId upsample = only_producer<Upsample>(graph, up);
    if (!upsample.valid()) continue;
    return engine::Rewrite{{upsample, sigmoid, root},
                           std::make_shared<const AttentionGate>(),
                           {multiply.inputs[1 - gate], graph.node(upsample).inputs[0]}};
  }
  return std::nullopt;
}
}  // namespace autodidact::ops
