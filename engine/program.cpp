#include "engine/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "engine/bf16.hpp"

namespace autodidact::engine {
namespace {

double element(const void* data, DType type, std::int64_t i) {
  switch (type) {
    case DType::f64: return static_cast<const double*>(data)[i];
    case DType::f32: return static_cast<const float*>(data)[i];
    case DType::s32: return static_cast<const std::int32_t*>(data)[i];
    case DType::bf16: return static_cast<const Bf16*>(data)[i];
    case DType::u8: return static_cast<const std::uint8_t*>(data)[i];
  }
  return 0;
}

// Where element i of the plain layout lies.
std::int64_t memory_index(const TensorType& type, std::int64_t i) {
  const std::int64_t b = type.format.block;
  if (type.shape.rank() != 4 || b == 1) return i;
  const std::int64_t pixels = type.shape[2] * type.shape[3];
  const std::int64_t pixel = i % pixels, c = i / pixels % type.shape[1], n = i / pixels / type.shape[1];
  return ((n * type.channel_blocks() + c / b) * pixels + pixel) * b + c % b;
}
}  // namespace

void Arena::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return;
  memory_.reset();  // the old one first: both together might not fit
  bytes_ = 0;
  memory_ = allocate(bytes);
  bytes_ = aligned(bytes);
}

Program::Program(Parts parts)
    : replay(std::move(parts.replay)),
      tasks_(std::move(parts.tasks)),
      phases_(std::move(parts.phases)),
      inputs_(std::move(parts.inputs)),
      outputs_(std::move(parts.outputs)),
      gradients_(std::move(parts.gradients)),
      dropped_(std::move(parts.dropped)),
      slots_(std::move(parts.slots)),
      memory_(parts.memory),
      planned_(parts.planned),
      number_type_(parts.number_type) {
  own_.reserve(aligned(std::max<std::size_t>(memory_.own, 1)));
  std::memset(own_.data(), 0, own_.bytes());
}

bool Program::divided() const {
  return std::any_of(phases_.begin(), phases_.end(), [](const Phase& phase) { return !phase.wide; });
}

void* Program::address(const Place& place) const {
  const auto in_store = [&](Section section) {
    return store_->data(section) + slot_offsets_[place.offset];
  };
  switch (place.region) {
    case Region::arena: return arena_ + place.offset;
    case Region::own: return own_.data() + place.offset;
    case Region::values: return in_store(Section::values);
    case Region::gradients: return in_store(Section::gradients);
    case Region::states: return in_store(Section::states);
    case Region::staged_states: return in_store(Section::staged_states);
  }
  return nullptr;
}

void Program::bind(ParameterStore& store, Arena& arena) {
  arena.reserve(memory_.arena);
  if (store_ == &store && arena_ == arena.data() && !first_address_.empty()) return;
  if (store.master() != number_type_)
    throw std::invalid_argument(fmt::format("a program of {} numbers was bound to a store of {}",
                                            name_of(number_type_), name_of(store.master())));
  if (store_ != &store) packed_version = 0;
  store_ = &store;
  arena_ = arena.data();
  slot_offsets_.clear();
  for (const std::string& name : slots_) {
    const Slot* slot = store.layout().parameter(name);
    if (!slot) slot = store.layout().state(name);
    if (!slot)
      throw std::invalid_argument(fmt::format("the parameter store has no {}", name));
    slot_offsets_.push_back(static_cast<std::size_t>(slot->offset) * bytes_of(store.master()));
  }
  addresses_.clear();
  first_address_.clear();
  for (const Task& task : tasks_) {
    first_address_.push_back(addresses_.size());
    for (const Place& place : task.reads) addresses_.push_back(address(place));
    for (const Place& place : task.writes) addresses_.push_back(address(place));
    addresses_.push_back(address(task.scratch));
  }
  if (replay) replay->arena = arena_;
}

Arguments Program::arguments(std::int32_t task) const {
  const auto index = static_cast<std::size_t>(task);
  void* const* reads = addresses_.data() + first_address_[index];
  void* const* writes = reads + tasks_[index].reads.size();
  return {reads, writes, writes[tasks_[index].writes.size()]};
}

const Terminal& Program::find(const std::map<std::string, Terminal, std::less<>>& terminals,
                              std::string_view name) {
  const auto found = terminals.find(name);
  if (found == terminals.end())
    throw std::invalid_argument(fmt::format("the program has no value named {}", name));
  return found->second;
}

void Program::set(std::string_view name, std::span<const double> numbers) {
  const Terminal& terminal = find(inputs_, name);
  if (static_cast<std::int64_t>(numbers.size()) != terminal.type.shape.count())
    throw std::invalid_argument(fmt::format("input {} takes {} numbers {}, got {}", name,
                                            terminal.type.shape.count(),
                                            terminal.type.shape.text(), numbers.size()));
  void* data = address(terminal.place);
  const TensorType& type = terminal.type;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::int64_t at = memory_index(type, static_cast<std::int64_t>(i));
    if (type.dtype == DType::f64) static_cast<double*>(data)[at] = numbers[i];
    if (type.dtype == DType::f32) static_cast<float*>(data)[at] = static_cast<float>(numbers[i]);
    if (type.dtype == DType::bf16) static_cast<Bf16*>(data)[at] = Bf16(static_cast<float>(numbers[i]));
    if (type.dtype == DType::s32) static_cast<std::int32_t*>(data)[at] = static_cast<std::int32_t>(numbers[i]);
  }
}

std::span<std::byte> Program::bytes(std::string_view name) {
  const Terminal& terminal = find(inputs_.contains(name) ? inputs_ : outputs_, name);
  return {static_cast<std::byte*>(address(terminal.place)), terminal.type.bytes()};
}

void Program::require_plain(std::string_view name, const TensorType& type) {
  if (type.layout_text() != "plain")
    throw std::invalid_argument(fmt::format("{} is {}, not plain", name, type.layout_text()));
}

std::span<const float> Program::view(std::string_view name) const {
  const Terminal& terminal = find(outputs_, name);
  if (terminal.type.dtype != DType::f32 || terminal.type.layout_text() != "plain")
    throw std::invalid_argument(fmt::format("output {} is {} {}, not plain f32", name,
                                            name_of(terminal.type.dtype), terminal.type.layout_text()));
  return {static_cast<const float*>(address(terminal.place)),
          static_cast<std::size_t>(terminal.type.shape.count())};
}

std::vector<double> Program::get(std::string_view name) const {
  const Terminal& terminal = find(outputs_, name);
  const TensorType& type = terminal.type;
  const void* data = address(terminal.place);
  std::vector<double> numbers(static_cast<std::size_t>(type.shape.count()));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = element(data, type.dtype, memory_index(type, static_cast<std::int64_t>(i)));
  return numbers;
}
}  // namespace autodidact::engine
