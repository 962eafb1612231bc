#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <map>

#include "engine/compile/emission.hpp"
#include "engine/compile/timings.hpp"
#include "engine/program.hpp"

namespace autodidact::engine::compile_passes {
namespace {

constexpr int kRuns = 3;

std::string key_of(const Query& query, const Candidate& candidate) {
  std::string key = fmt::format("{} {} {} {} {} threads {} summands {}", query.node.op->kind(),
                                query.node.op->describe(), name_of(query.pass), candidate.id,
                                candidate.implementation, query.threads, query.d_output_summands);
  for (const Shape& shape : query.inputs) key += shape.text();
  for (const bool needed : query.needs_gradient) key += needed ? '1' : '0';
  for (const OperandType& type : candidate.types)
    key += fmt::format(" {}{}{}", static_cast<int>(type.operand.kind), type.operand.index,
                       type.type.layout_text());
  return key;
}

// Memory to measure in: every operand gets a part of it. Filled with small numbers, so that nothing overflows.
class Playground {
 public:
  explicit Playground(std::size_t bytes) {
    Arena& memory = shared();
    if (bytes > memory.bytes()) {
      memory.reserve(bytes);
      auto* numbers = reinterpret_cast<float*>(memory.data());
      for (std::size_t i = 0; i < memory.bytes() / sizeof(float); ++i)
        numbers[i] = 0.01F * static_cast<float>(i % 61);
    }
    base_ = memory.data();
  }
  static Arena& shared() {
    static Arena memory;
    return memory;
  }
  std::byte* at(std::size_t offset) const { return base_ + offset; }

 private:
  std::byte* base_ = nullptr;
};

class Layout {
 public:
  Layout(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps,
         const Emission& emission)
      : query_(query), candidate_(candidate), keeps_(keeps), emission_(emission) {
    for (const EmittedPack& pack : emission.packs) {
      for (const Operand& operand : pack.parameters) add(operand);
      scratch_ = std::max(scratch_, pack.scratch_bytes);
    }
    for (const EmittedTask& task : emission.tasks) {
      for (const Operand& operand : task.reads) add(operand);
      for (const Operand& operand : task.writes) add(operand);
      scratch_ = std::max(scratch_, task.scratch_bytes);
    }
    for (int i = 0; i < static_cast<int>(emission.packs.size()); ++i)
      add({Operand::Kind::packed, i});
  }
  std::size_t bytes() const { return end_ + aligned(scratch_); }
  std::size_t at(const Operand& operand) const { return offsets_.at(operand); }
  std::size_t scratch() const { return end_; }

 private:
  void add(const Operand& operand) {
    if (!offsets_.emplace(operand, end_).second) return;
    const auto index = static_cast<std::size_t>(operand.index);
    std::size_t bytes = 0;
    if (operand.kind == Operand::Kind::temporary) bytes = emission_.temporaries[index];
    else if (operand.kind == Operand::Kind::packed) bytes = emission_.packs[index].bytes;
    else bytes = operand_type(query_, candidate_, keeps_, operand).bytes();
    end_ += aligned(bytes) + kAlignment;
  }
  const Query& query_;
  const Candidate& candidate_;
  const std::vector<TensorType>& keeps_;
  const Emission& emission_;
  std::map<Operand, std::size_t> offsets_;
  std::size_t end_ = 0, scratch_ = 0;
};

double run_once(const Emission& emission, const Layout& layout, const Playground& memory,
                Lane& lane) {
  std::vector<void*> reads, writes;
  const auto call = [&](const std::vector<Operand>& in, const std::vector<Operand>& out_,
                        const Kernel& kernel) {
    reads.clear();
    writes.clear();
    for (const Operand& operand : in) reads.push_back(memory.at(layout.at(operand)));
    for (const Operand& operand : out_) writes.push_back(memory.at(layout.at(operand)));
    kernel(lane, {reads.data(), writes.data(), memory.at(layout.scratch())});
  };
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < static_cast<int>(emission.packs.size()); ++i)
    call(emission.packs[static_cast<std::size_t>(i)].parameters, {{Operand::Kind::packed, i}},
         emission.packs[static_cast<std::size_t>(i)].kernel);
  for (const EmittedTask& task : emission.tasks) call(task.reads, task.writes, task.kernel);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}
}  // namespace

TensorType operand_type(const Query& query, const Candidate& candidate,
                        const std::vector<TensorType>& keeps, Operand operand) {
  using Kind = Operand::Kind;
  if (operand.kind == Kind::kept) return keeps[static_cast<std::size_t>(operand.index)];
  Operand wanted = operand;
  wanted.summand = 0;
  for (const OperandType& type : candidate.types)
    if (type.operand == wanted) return type.type;
  const auto index = static_cast<std::size_t>(operand.index);
  const bool of_output = operand.kind == Kind::output || operand.kind == Kind::d_output;
  const Role role = of_output ? query.node.op->output_role(operand.index)
                              : query.node.op->inputs()[index].role;
  return {of_output ? query.outputs[index] : query.inputs[index], storage(role, query.precision), {}};
}

double measure(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps,
               Lane& lane) {
  const std::string key = key_of(query, candidate);
  if (const auto known = timings().find(key)) return *known;
  Emission emission(alone());
  candidate.emit(emission);
  const Layout layout(query, candidate, keeps, emission);
  const Playground memory(layout.bytes());
  double best = std::numeric_limits<double>::max();
  for (int run = 0; run <= kRuns; ++run) {
    const double ms = run_once(emission, layout, memory, lane);
    if (run > 0) best = std::min(best, ms);
  }
  timings().add(key, best);
  return best;
}
void end_measuring() { Playground::shared() = Arena(); }
}  // namespace autodidact::engine::compile_passes

namespace autodidact::engine {
Timings& timings() {
  static Timings all;
  return all;
}
}  // namespace autodidact::engine
