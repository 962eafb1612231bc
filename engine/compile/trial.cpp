#include "engine/compile/trial.hpp"

#include <algorithm>

#include "engine/bf16.hpp"

namespace autodidact::engine::compile_passes {
namespace {

// Small numbers of both signs that bf16 has, a function of where they stand in the tensor and not of how that is laid out: the candidates
// of a task must agree on what they make of them, also where one rounds its weights and another does not. Channels that only fill up a
// block are zeros.
constexpr std::int64_t kPattern = 61;
float pattern(std::int64_t i) { return static_cast<float>(i % kPattern * 37 % kPattern - 30) / 64; }

template <class T>
void fill(const TensorType& type, T* to, Lane& lane) {
  // The numbers from the r-th of the pattern on, `step` further each time; most tensors are gigabytes of copies of such rows.
  const auto rows_of = [](std::int64_t count, std::int64_t length, std::int64_t step) {
    std::vector<T> rows;
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t l = 0; l < length; ++l) rows.push_back(T(pattern(r + l * step)));
    return rows;
  };
  if (type.shape.rank() != 4) {
    const std::vector<T> row = rows_of(1, kPattern, 1);
    for (std::int64_t i = 0; i < type.shape.count(); i += kPattern) std::copy_n(row.begin(), std::min(kPattern, type.shape.count() - i), to + i);
    return;
  }
  const std::int64_t b = type.format.block, blocks = type.channel_blocks(), pixels = type.shape[2] * type.shape[3];
  const std::vector<T> rows = rows_of(kPattern, b, 3);
  lane.parallel(type.shape[0] * blocks, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t first = plane % blocks * b, channels = std::min(b, type.shape[1] - first);
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        T* at = to + (plane * pixels + pixel) * b;
        std::copy_n(rows.begin() + (plane / blocks * 7 + first * 3 + pixel * 5) % kPattern * b, channels, at);
        std::fill_n(at + channels, b - channels, T(0.0F));
      }
    }
  });
}

// Some numbers of a result, the same ones whatever its layout.
template <class T>
std::vector<float> sample(const TensorType& type, const T* from) {
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

bool of_numbers(const TensorType& type) { return type.dtype == DType::f32 || type.dtype == DType::bf16; }

// So that no candidate is timed while the system finds memory.
void grow(Arena& memory, std::size_t bytes, Lane& lane) {
  if (bytes <= memory.bytes()) return;
  memory.reserve(bytes);
  constexpr std::int64_t kPage = 4096;
  lane.parallel(static_cast<std::int64_t>(bytes) / kPage, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t page = begin; page < end; ++page) memory.data()[page * kPage] = std::byte{0};
  });
}

Emission emitted(const Candidate& candidate) {
  Emission emission(alone());
  candidate.emit(emission);
  return emission;
}
}  // namespace

TrialLayout::TrialLayout(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps,
       const Emission& emission) {
  const auto add = [&](const Operand& operand) {
    const auto index = static_cast<std::size_t>(operand.index);
    TensorType type{{0}, DType::u8, {}};
    if (operand.kind == Operand::Kind::temporary) type.shape = {static_cast<std::int64_t>(emission.temporaries[index])};
    else if (operand.kind == Operand::Kind::packed) type.shape = {static_cast<std::int64_t>(emission.packs[index].bytes)};
    else type = operand_type(query, candidate, keeps, operand);
    if (places_.emplace(operand, Place{end_, type}).second) end_ += aligned(type.bytes()) + kAlignment;
  };
  for (const EmittedPack& pack : emission.packs) {
    for (const Operand& operand : pack.parameters) add(operand);
    scratch_ = std::max(scratch_, pack.scratch_bytes);
  }
  for (const EmittedTask& task : emission.tasks) {
    for (const Operand& operand : task.reads) add(operand);
    for (const Operand& operand : task.writes) add(operand);
    scratch_ = std::max(scratch_, task.scratch_bytes);
  }
  for (int i = 0; i < static_cast<int>(emission.packs.size()); ++i) add({Operand::Kind::packed, i});
}

Trial::Trial(const Query& query, const Candidate& candidate, const std::vector<TensorType>& keeps, Lane& lane, Arena& memory)
    : memory_(memory), emission_(emitted(candidate)), layout_(query, candidate, keeps, emission_) {
  grow(memory_, layout_.bytes(), lane);
  for (const auto& [operand, place] : layout_.places()) {
    if (!of_numbers(place.type)) continue;
    with_element(place.type.dtype, [&, &place = place](auto t) { fill(place.type, at<decltype(t)>(place.offset), lane); });
    // A variance is positive.
    if (operand.kind == Operand::Kind::input && query.node.op->inputs()[static_cast<std::size_t>(operand.index)].role == Role::statistic)
      for (std::int64_t i = 0; i < place.type.elements(); ++i) at<float>(place.offset)[i] += 1;
  }
}

void Trial::pack(Lane& lane) {
  for (int i = 0; i < static_cast<int>(emission_.packs.size()); ++i) {
    const EmittedPack& pack = emission_.packs[static_cast<std::size_t>(i)];
    call(lane, pack.parameters, {{Operand::Kind::packed, i}}, pack.kernel);
  }
}

void Trial::run(Lane& lane) {
  for (const EmittedTask& task : emission_.tasks) call(lane, task.reads, task.writes, task.kernel);
}

std::vector<float> Trial::results() const {
  std::vector<float> numbers;
  for (const auto& [operand, place] : layout_.places()) {
    const bool result = operand.kind == Operand::Kind::output || operand.kind == Operand::Kind::d_input;
    if (!result || !written(operand) || !of_numbers(place.type)) continue;
    const std::vector<float> some =
        with_element(place.type.dtype, [&, &place = place](auto t) { return sample(place.type, at<const decltype(t)>(place.offset)); });
    numbers.insert(numbers.end(), some.begin(), some.end());
  }
  return numbers;
}

bool Trial::written(const Operand& operand) const {
  return std::any_of(emission_.tasks.begin(), emission_.tasks.end(), [&](const EmittedTask& task) {
    return std::find(task.writes.begin(), task.writes.end(), operand) != task.writes.end();
  });
}

void Trial::call(Lane& lane, const std::vector<Operand>& reads, const std::vector<Operand>& writes, const Kernel& kernel) {
  reads_.clear();
  writes_.clear();
  for (const Operand& operand : reads) reads_.push_back(at<std::byte>(layout_.at(operand)));
  for (const Operand& operand : writes) writes_.push_back(at<std::byte>(layout_.at(operand)));
  kernel(lane, {reads_.data(), writes_.data(), at<std::byte>(layout_.scratch())});
}

void TrialGround::run(const std::function<void(Lane&, Arena&, std::size_t)>& work) {
  if (wide_) lanes_.run_wide([&](Lane& lane) { work(lane, memory_.front(), 0); });
  else
    lanes_.run_narrow(static_cast<int>(count()), [&](Lane& lane, int i) {
      const auto which = static_cast<std::size_t>(i);
      work(lane, memory_[which], which);
    });
}
}  // namespace autodidact::engine::compile_passes
