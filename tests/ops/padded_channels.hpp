// tests/ops/padded_channels.hpp: does a kernel keep the channels that only fill up a block at zero? Values are compared without
// them everywhere else, so an op that writes σ(0) = ½ there would pass its other tests and spoil the next op's sums.
#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <new>
#include <stdexcept>
#include <vector>

#include "engine/op.hpp"

namespace autodidact::testing {

// Collects the tasks of an op that needs no packs, temporaries or collectives.
class TaskList final : public engine::Emitter {
 public:
  std::vector<engine::EmittedTask> tasks;

  void task(engine::EmittedTask task) override { tasks.push_back(std::move(task)); }
  engine::Operand temporary(std::size_t) override { throw std::logic_error("a temporary"); }
  engine::Operand pack(engine::EmittedPack) override {
    throw std::logic_error("a pack");
  }
  void collective(engine::Operand, std::int64_t) override {}
};

// f(i) for the number of every padded channel of a tensor (N,⌈C/b⌉,H,W,b).
template <class F>
void for_each_padding(const engine::TensorType& type, F&& f) {
  if (type.shape.rank() != 4) return;
  const std::int64_t b = type.format.block, pixels = type.shape[2] * type.shape[3];
  for (std::int64_t i = 0; i < type.elements(); ++i) {
    const std::int64_t block = i / (b * pixels) % type.channel_blocks();
    if (block * b + i % b >= type.shape[1]) f(i);
  }
}

// The padding with the largest magnitude that forward and backward of `op` write in nChw16c, where buffers were full of ones
// before, and padded channels of what the op reads are zero. The op has one output and one task a pass.
inline float largest_padding(const engine::Op& op, const std::vector<engine::Shape>& inputs) {
  using engine::Operand, engine::Pass;
  std::map<Operand, std::vector<float>> memory;  // forward's output and keeps stay for backward
  float largest = 0;
  for (const Pass pass : {Pass::forward, Pass::backward}) {
    const engine::Node node;
    engine::Query query{node};
    query.pass = pass;
    query.inputs = inputs;
    query.outputs = op.infer("node", inputs);
    query.needs_gradient.assign(inputs.size(), pass == Pass::backward);
    query.blocks = {16};
    const engine::Candidate candidate = op.candidates(query).at(0);
    TaskList list;
    candidate.emit(list);
    const engine::EmittedTask& task = list.tasks.at(0);

    const auto type_of = [&](Operand operand) {
      for (const auto& [known, type] : candidate.types)
        if (known == operand) return type;
      if (operand.kind == Operand::Kind::kept) return candidate.keeps.at(operand.index);
      const bool output =
          operand.kind == Operand::Kind::output || operand.kind == Operand::Kind::d_output;
      return query.type(output ? query.outputs[0] : inputs.at(operand.index), 1);
    };
    std::vector<void*> reads, writes;
    for (const Operand operand : task.reads) {
      auto& numbers = memory[operand];
      if (numbers.empty()) {
        const engine::TensorType type = type_of(operand);
        numbers.assign(type.elements(), 0.5F);
        for_each_padding(type, [&](std::int64_t i) { numbers[i] = 0; });
      }
      reads.push_back(numbers.data());
    }
    for (const Operand operand : task.writes) {
      memory[operand].assign(type_of(operand).elements(), 1.0F);
      writes.push_back(memory[operand].data());
    }
    std::vector<double> scratch(task.scratch_bytes / sizeof(double) + 1);
    engine::Lane lane(1);
    task.kernel(lane, {reads.data(), writes.data(), scratch.data()});
    for (const Operand operand : task.writes)
      if (operand.kind != Operand::Kind::kept)
        for_each_padding(type_of(operand), [&](std::int64_t i) {
          largest = std::max(largest, std::abs(memory[operand][i]));
        });
  }
  return largest;
}
}  // namespace autodidact::testing
