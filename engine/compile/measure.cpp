#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

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

// Memory to measure in: every operand gets a part of it.
Arena& playground() {
  static Arena memory;
  return memory;
}

class Layout {
 public:
  Layout(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps,
         const Emission& emission) {
    const auto add = [&](const Operand& operand) {
      const auto index = static_cast<std::size_t>(operand.index);
      TensorType type{{0}, DType::u8, {}};
      if (operand.kind == Operand::Kind::temporary) type.shape = {static_cast<std::int64_t>(emission.temporaries[index])};
      else if (operand.kind == Operand::Kind::packed) type.shape = {static_cast<std::int64_t>(emission.packs[index].bytes)};
      else type = operand_type(query, candidate, keeps, operand);
      if (places_.emplace(operand, Place{end_, type}).second) end_ += aligned(type.bytes()) + kAlignment;
    };
    for (const EmittedPack& pack : emission.packs) add(pack.parameter);
    for (const EmittedTask& task : emission.tasks) {
      for (const Operand& operand : task.reads) add(operand);
      for (const Operand& operand : task.writes) add(operand);
      scratch_ = std::max(scratch_, task.scratch_bytes);
    }
    for (int i = 0; i < static_cast<int>(emission.packs.size()); ++i) add({Operand::Kind::packed, i});
  }

  struct Place {
    std::size_t offset;
    TensorType type;
  };
  const std::map<Operand, Place>& places() const { return places_; }
  std::size_t at(const Operand& operand) const { return places_.at(operand).offset; }
  std::size_t scratch() const { return end_; }
  std::size_t bytes() const { return end_ + aligned(scratch_); }

 private:
  std::map<Operand, Place> places_;
  std::size_t end_ = 0, scratch_ = 0;
};

// Small numbers of both signs, a function of where they stand in the tensor and not of how that is laid out: the candidates of a task
// must agree on what they make of them. Channels that only fill up a block are zeros.
constexpr std::int64_t kPattern = 61;
float pattern(std::int64_t i) { return 0.01F * static_cast<float>(i * 37 % kPattern) - 0.3F; }

void fill(const TensorType& type, float* to, Lane& lane) {
  static const std::vector<float> table = [] {
    std::vector<float> numbers(2 * kPattern);
    for (std::int64_t i = 0; i < 2 * kPattern; ++i) numbers[static_cast<std::size_t>(i)] = pattern(i);
    return numbers;
  }();
  if (type.shape.rank() != 4) {
    for (std::int64_t i = 0; i < type.shape.count(); ++i) to[i] = table[static_cast<std::size_t>(i % kPattern)];
    return;
  }
  const std::int64_t b = type.format.block, blocks = type.channel_blocks(), pixels = type.shape[2] * type.shape[3];
  lane.parallel(type.shape[0] * blocks, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t plane = begin; plane < end; ++plane)
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
        for (std::int64_t l = 0, c = plane % blocks * b; l < b; ++l, ++c)
          to[(plane * pixels + pixel) * b + l] =
              c < type.shape[1] ? table[static_cast<std::size_t>((plane / blocks * 7 + c * 3 + pixel * 5) % kPattern)] : 0.0F;
  });
}

// Some numbers of a result, the same ones whatever its layout.
std::vector<float> sample(const TensorType& type, const float* from) {
  constexpr std::int64_t kSamples = 4096;
  const std::int64_t count = type.shape.count();
  std::vector<float> numbers;
  for (std::int64_t k = 0; k < std::min(kSamples, count); ++k) {
    std::int64_t i = count <= kSamples ? k : k * 2654435761 % count;
    if (type.shape.rank() == 4) {
      const std::int64_t pixels = type.shape[2] * type.shape[3], b = type.format.block;
      const std::int64_t pixel = i % pixels, c = i / pixels % type.shape[1], n = i / pixels / type.shape[1];
      i = ((n * type.channel_blocks() + c / b) * pixels + pixel) * b + c % b;
    }
    numbers.push_back(from[i]);
  }
  return numbers;
}

class Trial {
 public:
  Trial(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps, Lane& lane)
      : lane_(lane), emission_(emitted(candidate)), layout_(query, candidate, keeps, emission_) {
    playground().reserve(layout_.bytes());
    for (const auto& [operand, place] : layout_.places())
      if (place.type.dtype == DType::f32) fill(place.type, at<float>(place.offset), lane);
  }

  double run() {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < static_cast<int>(emission_.packs.size()); ++i) {
      const EmittedPack& pack = emission_.packs[static_cast<std::size_t>(i)];
      call({pack.parameter}, {{Operand::Kind::packed, i}}, pack.kernel);
    }
    for (const EmittedTask& task : emission_.tasks) call(task.reads, task.writes, task.kernel);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  // Of what the pass is for: outputs, or gradients.
  std::vector<float> results() const {
    std::vector<float> numbers;
    for (const auto& [operand, place] : layout_.places()) {
      const bool result = operand.kind == Operand::Kind::output || operand.kind == Operand::Kind::d_input;
      if (!result || !written(operand) || place.type.dtype != DType::f32) continue;
      const std::vector<float> some = sample(place.type, at<float>(place.offset));
      numbers.insert(numbers.end(), some.begin(), some.end());
    }
    return numbers;
  }

 private:
  static Emission emitted(const Candidate& candidate) {
    Emission emission(alone());
    candidate.emit(emission);
    return emission;
  }
  template <class T = void>
  T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(playground().data() + offset);
  }
  bool written(const Operand& operand) const {
    return std::any_of(emission_.tasks.begin(), emission_.tasks.end(), [&](const EmittedTask& task) {
      return std::find(task.writes.begin(), task.writes.end(), operand) != task.writes.end();
    });
  }
  void call(const std::vector<Operand>& in, const std::vector<Operand>& out_, const Kernel& kernel) {
    reads_.clear();
    writes_.clear();
    for (const Operand& operand : in) reads_.push_back(at<std::byte>(layout_.at(operand)));
    for (const Operand& operand : out_) writes_.push_back(at<std::byte>(layout_.at(operand)));
    kernel(lane_, {reads_.data(), writes_.data(), at<std::byte>(layout_.scratch())});
  }

  Lane& lane_;
  Emission emission_;
  Layout layout_;
  std::vector<void*> reads_, writes_;
};

// How far the results of two candidates may be apart, ‖a − b‖ / ‖b‖: Winograd's rounding in f32 is below 1e-4; what is wrong is off by
// more than a hundredth.
constexpr double kAgreement = 2e-3;

struct Result {
  std::size_t candidate;
  std::vector<float> numbers;
};

double disagreement(const std::vector<float>& results, const std::vector<float>& others) {
  if (results.size() != others.size()) return 1e30;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const double a = results[i], b = others[i];
    difference += (a - b) * (a - b);
    size += b * b;
  }
  const double error = std::sqrt(difference / std::max(size, 1e-30));
  return std::isfinite(error) ? error : 1e30;
}

// The result that most others agree with; among equals a direct one, then the first.
const Result& most_agreed(const std::vector<Result>& results, const std::vector<Candidate>& candidates) {
  const Result* best = &results.front();
  std::pair<std::ptrdiff_t, bool> best_rank{-1, false};
  for (const Result& result : results) {
    const auto agreeing = std::count_if(results.begin(), results.end(), [&](const Result& other) {
      return disagreement(other.numbers, result.numbers) <= kAgreement;
    });
    const std::pair rank{agreeing, candidates[result.candidate].id == "direct"};
    if (rank > best_rank) {
      best = &result;
      best_rank = rank;
    }
  }
  return *best;
}

std::string sentence(const Query& query, const Candidate& candidate, const std::string& what) {
  return fmt::format("{} {}: {} ({}) {}", query.node.label, name_of(query.pass), candidate.implementation, candidate.id, what);
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

std::vector<double> measure(const Query& query, const std::vector<Candidate>& candidates,
                            const std::function<const std::vector<TensorType>&(const Candidate&)>& keeps, Lane& lane,
                            std::vector<std::string>& dropped) {
  std::vector<double> ms;
  std::vector<Result> fresh;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::string key = key_of(query, candidates[i]);
    if (const auto known = timings().find(key)) {
      ms.push_back(*known);
      if (*known >= Timings::kDropped) dropped.push_back(sentence(query, candidates[i], "disagreed with the others when it was measured"));
      continue;
    }
    Trial trial(query, candidates[i], keeps(candidates[i]), lane);
    trial.run();
    fresh.push_back({i, trial.results()});
    ms.push_back(std::numeric_limits<double>::max());
    for (int run = 0; run < kRuns; ++run) ms.back() = std::min(ms.back(), trial.run());
    timings().add(key, ms.back());
  }
  if (fresh.size() < 2) return ms;
  const Result& standard = most_agreed(fresh, candidates);
  for (const Result& result : fresh) {
    const double error = disagreement(result.numbers, standard.numbers);
    if (error <= kAgreement) continue;
    ms[result.candidate] = Timings::kDropped;
    timings().drop(key_of(query, candidates[result.candidate]));
    dropped.push_back(sentence(query, candidates[result.candidate],
                               fmt::format("is off by {:.1e} of the result of {}", error, candidates[standard.candidate].implementation)));
  }
  return ms;
}

void end_measuring() { playground() = Arena(); }
}  // namespace autodidact::engine::compile_passes

namespace autodidact::engine {
Timings& timings() {
  static Timings all;
  return all;
}
}  // namespace autodidact::engine
