#include "ops/sigmoid.hpp"

#include <algorithm>

#include "engine/mutation.hpp"
#include "ops/reference/sigmoid.hpp"
#include "ops/simd.hpp"

namespace autodidact::ops {
using engine::Arguments, engine::Candidate, engine::d_in, engine::d_out, engine::Emitter;
using engine::in, engine::Lane, engine::mutated, engine::out, engine::Pass, engine::Query;
using engine::Shape, engine::TensorType, engine::with_element;

namespace {

// y may be x, and dx may be dy: each number is read before it is written.
template <class T>
AUTODIDACT_KERNEL void forward_numbers(const T* x, T* y, std::int64_t begin,
                                       std::int64_t end) {
  const float sign = mutated("sigmoid.fast.y") ? -1.0F : 1.0F;  // e^x for e^−x
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) y[i] = fast_sigmoid(sign * x[i]);
}

template <class T>
AUTODIDACT_KERNEL void backward_numbers(const T* y, const T* dy, T* dx,
                                        std::int64_t begin, std::int64_t end) {
  const float factor = mutated("sigmoid.fast.dx") ? 0.0F : 1.0F;  // forgets 1 − y
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] * y[i] * (1.0F - factor * y[i]);
}

// The tensor as planes (pixels,b): a blocked one has tail channels to clear, any other is planes of one number.
struct Planes {
  explicit Planes(const TensorType& type) {
    if (type.shape.rank() == 4) {
      block = type.format.block;
      channel_blocks = type.channel_blocks();
      pixels = type.shape[2] * type.shape[3];
      used = type.shape[1] - (channel_blocks - 1) * block;
      count = type.shape[0] * channel_blocks;
    } else {
      count = type.elements();
    }
  }
  template <class T>
  void clear_tail(T* y, std::int64_t plane) const {
    if (used == block || plane % channel_blocks != channel_blocks - 1) return;
    for (std::int64_t p = 0; p < pixels; ++p) {
      T* pixel = y + (plane * pixels + p) * block;
      std::fill(pixel + used, pixel + block, T(0.0F));
    }
  }
  std::int64_t elements() const { return pixels * block; }  // of a plane

  std::int64_t count = 1, pixels = 1, block = 1, channel_blocks = 1;
  std::int64_t used = 1;  // channels of the last block
};

template <class T>
void emit_forward(Emitter& emitter, const Planes& planes) {
  emitter.task({"", {in(0)}, {out()}, 0, [=](Lane& lane, const Arguments& arguments) {
                  const auto* x = arguments.read<T>(0);
                  auto* y = arguments.write<T>(0);
                  lane.parallel(planes.count, [&](std::int64_t begin, std::int64_t end, int) {
                    forward_numbers(x, y, begin * planes.elements(), end * planes.elements());
                    for (std::int64_t plane = begin; plane < end; ++plane)
                      planes.clear_tail(y, plane);
                  });
                }});
}

// Needs no care for the tail: y = 0 there.
template <class T>
void emit_backward(Emitter& emitter, std::int64_t elements) {
  emitter.task({"", {out(), d_out()}, {d_in(0)}, 0, [=](Lane& lane, const Arguments& arguments) {
                  lane.parallel(elements, [&](std::int64_t begin, std::int64_t end, int) {
                    backward_numbers(arguments.read<T>(0), arguments.read<T>(1),
                                     arguments.write<T>(0), begin, end);
                  });
                }});
}
}  // namespace

std::vector<Shape> Sigmoid::infer(std::string_view node, std::span<const Shape> inputs) const {
  engine::require(inputs[0].count() > 0, kind(), node,
                  "x must not be empty, got " + inputs[0].text());
  return {inputs[0]};
}

std::vector<engine::BackwardTask> Sigmoid::backward() const {
  return {{Pass::backward, {d_in(0)}}};
}

void Sigmoid::reference(Pass pass, const engine::ReferenceArguments& arguments) const {
  if (pass == Pass::forward)
    reference::sigmoid_forward(arguments.inputs[0], arguments.outputs[0]);
  else
    reference::sigmoid_backward(arguments.outputs[0], arguments.d_outputs[0],
                                arguments.d_inputs[0]);
}

std::vector<Candidate> Sigmoid::candidates(const Query& query) const {
  std::vector<Candidate> candidates;
  for (const std::int64_t block : query.blocks) {
    const TensorType type = query.type(query.inputs[0], block);
    Candidate own;
    own.id = "own";
    own.implementation = "own: one sweep";
    if (query.pass == Pass::forward) {
      own.types = {{in(0), type}, {out(), type}};
      own.in_place = {{out(), in(0)}};
      own.emit = [type](Emitter& emitter) {
        with_element(type.dtype, [&](auto t) { emit_forward<decltype(t)>(emitter, Planes(type)); });
      };
    } else {
      own.types = {{out(), type}, {d_out(), type}, {d_in(0), type}};
      own.in_place = {{d_in(0), d_out()}};
      own.emit = [type](Emitter& emitter) {
        with_element(type.dtype, [&](auto t) { emit_backward<decltype(t)>(emitter, type.elements()); });
      };
    }
    candidates.push_back(std::move(own));
  }
  return candidates;
}
}  // namespace autodidact::ops
