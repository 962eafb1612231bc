#include "engine/parameter_store.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "engine/graph.hpp"

namespace autodidact::engine {
namespace {

// Every slot starts on a cache line, also in f64.
constexpr std::int64_t kSlotElements = 16;

void append(std::vector<Slot>& slots, std::map<std::string, std::size_t, std::less<>>& index,
            std::int64_t& end, const Value& value) {
  const std::int64_t count = value.shape.count();
  index.emplace(value.name, slots.size());
  slots.push_back({value.name, value.shape, end, count});
  end += (count + kSlotElements - 1) / kSlotElements * kSlotElements;
}

const Slot* find(const std::vector<Slot>& slots,
                 const std::map<std::string, std::size_t, std::less<>>& index,
                 std::string_view name) {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : &slots[found->second];
}

std::uint64_t next_version() {
  static std::atomic<std::uint64_t> version{0};
  return ++version;
}

Memory allocate_zeros(std::size_t bytes) {
  Memory memory = allocate(bytes);
  if (memory) std::memset(memory.get(), 0, bytes);
  return memory;
}
}  // namespace

ParameterLayout::ParameterLayout(const Graph& graph) {
  const auto values = graph.values();
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    if (value->source == Source::parameter)
      append(parameters_, parameter_index_, parameter_elements_, *value);
    if (value->source == Source::state) append(states_, state_index_, state_elements_, *value);
  }
}

const Slot* ParameterLayout::parameter(std::string_view name) const {
  return find(parameters_, parameter_index_, name);
}

const Slot* ParameterLayout::state(std::string_view name) const {
  return find(states_, state_index_, name);
}

std::int64_t ParameterLayout::parameter_count() const {
  std::int64_t count = 0;
  for (const Slot& slot : parameters_) count += slot.count;
  return count;
}

ParameterStore::ParameterStore(std::shared_ptr<const ParameterLayout> layout, DType master,
                               bool learning)
    : layout_(std::move(layout)), master_(master), version_(next_version()) {
  const std::size_t width = bytes_of(master);
  const auto parameters = static_cast<std::size_t>(layout_->parameter_elements()) * width;
  const auto states = static_cast<std::size_t>(layout_->state_elements()) * width;
  const auto make = [&](Section section, std::size_t bytes) {
    sections_[static_cast<std::size_t>(section)] = allocate_zeros(bytes);
  };
  make(Section::values, parameters);
  make(Section::states, states);
  make(Section::staged_states, states);
  if (!learning) return;
  add(Section::gradients);
  add(Section::momentum);
}

void ParameterStore::add(Section section) {
  const auto bytes = static_cast<std::size_t>(layout_->parameter_elements()) * bytes_of(master_);
  if (!has(section)) sections_[static_cast<std::size_t>(section)] = allocate_zeros(bytes);
}

std::byte* ParameterStore::data(Section section) {
  return sections_[static_cast<std::size_t>(section)].get();
}

const std::byte* ParameterStore::data(Section section) const {
  return sections_[static_cast<std::size_t>(section)].get();
}

std::vector<double> ParameterStore::get(Section section, const Slot& slot) const {
  std::vector<double> numbers(static_cast<std::size_t>(slot.count));
  if (master_ == DType::f64)
    std::copy_n(reinterpret_cast<const double*>(data(section)) + slot.offset, slot.count,
                numbers.begin());
  else
    std::copy_n(reinterpret_cast<const float*>(data(section)) + slot.offset, slot.count,
                numbers.begin());
  return numbers;
}

void ParameterStore::set(Section section, const Slot& slot, std::span<const double> numbers) {
  if (master_ == DType::f64)
    std::copy(numbers.begin(), numbers.end(), view<double>(section, slot).begin());
  else
    std::transform(numbers.begin(), numbers.end(), view<float>(section, slot).begin(),
                   [](double number) { return static_cast<float>(number); });
  touched();
}

void ParameterStore::stage() {
  const auto bytes = static_cast<std::size_t>(layout_->state_elements()) * bytes_of(master_);
  if (bytes) std::memcpy(data(Section::staged_states), data(Section::states), bytes);
}

void ParameterStore::commit() {
  commit_states();
  touched();
}

void ParameterStore::commit_states() {
  const auto bytes = static_cast<std::size_t>(layout_->state_elements()) * bytes_of(master_);
  if (bytes) std::memcpy(data(Section::states), data(Section::staged_states), bytes);
}

void ParameterStore::touched() { version_ = next_version(); }
}  // namespace autodidact::engine
