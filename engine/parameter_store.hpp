// engine/parameter_store.hpp: the numbers that are learned; they live outside every program.
//
// A ParameterLayout gives each parameter and each running statistic of a Graph an offset, parameters in reverse order of
// declaration (so that the gradients that backward finishes first lie together: ranges of it are all-reduce buckets).
// A ParameterStore holds values, gradients, what an optimizer keeps of them and statistics for a layout, plain and row-major (OIHW),
// f32, or f64 under the reference backend. One store serves many programs: each binds it when it runs.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/memory.hpp"
#include "engine/shape.hpp"

namespace autodidact::engine {
class Graph;

struct Slot {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;  // in elements, from the start of its section
  std::int64_t count = 0;
};

class ParameterLayout {
 public:
  explicit ParameterLayout(const Graph& graph);
  std::span<const Slot> parameters() const { return parameters_; }
  std::span<const Slot> states() const { return states_; }
  const Slot* parameter(std::string_view name) const;  // nullptr if there is none
  const Slot* state(std::string_view name) const;
  std::int64_t parameter_elements() const { return parameter_elements_; }  // with alignment gaps
  std::int64_t state_elements() const { return state_elements_; }
  std::int64_t parameter_count() const;  // learned numbers, without the gaps

 private:
  std::vector<Slot> parameters_, states_;
  std::map<std::string, std::size_t, std::less<>> parameter_index_, state_index_;
  std::int64_t parameter_elements_ = 0, state_elements_ = 0;
};

// The last two are there only where add() made them: second moments of an optimizer that has them, and the sum of the gradients of the
// micro-batches done so far.
enum class Section : std::uint8_t { values, gradients, momentum, states, staged_states, second_moments, accumulated };
inline constexpr std::size_t kSections = 7;

class ParameterStore {
 public:
  // `learning` false: values and states only (an averaged copy, evaluation).
  ParameterStore(std::shared_ptr<const ParameterLayout> layout, DType master, bool learning = true);

  const ParameterLayout& layout() const { return *layout_; }
  const std::shared_ptr<const ParameterLayout>& shared_layout() const { return layout_; }
  DType master() const { return master_; }
  // Gives it one of the sections of parameters, all zeros, if it has not got it.
  void add(Section section);
  bool has(Section section) const { return data(section) != nullptr; }
  std::byte* data(Section section);
  const std::byte* data(Section section) const;

  // The elements of one slot as T (must be the master type).
  template <class T>
  std::span<T> view(Section section, const Slot& slot) {
    return {reinterpret_cast<T*>(data(section)) + slot.offset, static_cast<std::size_t>(slot.count)};
  }
  // Read and write as doubles, whatever the master type; for files and tests.
  std::vector<double> get(Section section, const Slot& slot) const;
  void set(Section section, const Slot& slot, std::span<const double> numbers);

  // A step is published, not just run: staged statistics become the statistics, and the version changes. Or nothing does.
  void stage();    // staged ← states: at the start of a step
  void commit();   // states ← staged, new version
  // states ← staged between the micro-batches of one step: values are what they were, and so is the version.
  void commit_states();
  void discard() { stage(); }
  std::uint64_t version() const { return version_; }  // unique in the process
  void touched();                                     // whoever wrote values says so: new version

 private:
  std::shared_ptr<const ParameterLayout> layout_;
  DType master_;
  Memory sections_[kSections];
  std::uint64_t version_ = 0;
};
}  // namespace autodidact::engine
