// engine/program.hpp: what compile makes. A flat list of tasks, the phases in which they run, and the places of their data.
//
// A step is a list of phases. A wide phase is one list of tasks on all cores; a split phase is several lists, each whole
// in one narrow lane. Happens-before is "an earlier phase, or earlier in the same list", so the cap on threads and the
// lifetimes of buffers both hold by construction. A place is region + offset: binding a program to a ParameterStore and an
// Arena turns places into addresses, and a step then only calls kernels with addresses.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/memory.hpp"
#include "engine/op.hpp"
#include "engine/parameter_store.hpp"
#include "engine/threads.hpp"

namespace autodidact::engine {

// arena: shared by all programs of a process · own: of this program, lasting (inputs, outputs, packed weights) · the rest:
// the sections of the bound ParameterStore.
enum class Region : std::uint8_t { arena, own, values, gradients, states, staged_states };

// offset: bytes; in a region of the store, the index of a name in Program::slots(), found in the store when it is bound.
struct Place {
  Region region = Region::arena;
  std::size_t offset = 0;
};

struct Task {
  std::string name;            // "layer1.0.conv1", "layer1.0.bn1 + layer1.0.relu1: statistics"
  std::string node;            // the node it belongs to; empty for reorders and sums
  Pass pass = Pass::forward;
  // 0: none, it runs in the wide lane; else the exit whose branch it belongs to, in a narrow one; kBeside: the trunk's, in a narrow lane beside branches.
  int branch = 0;
  static constexpr int kBeside = Graph::kMostExits + 1;
  int step = -1;               // the number of the pass of a node that it belongs to, with the reorders, sums and recomputations before it; -1: none
  std::vector<std::int32_t> waits;  // tasks that must be over, those before it that touch what it does
  bool pack = false;           // runs only when the store's version has changed
  std::string candidate, implementation;
  std::string formats;         // that the candidate wants of its operands, in its order; empty: all plain
  TensorType result;           // of its first write, for printing
  int threads = 1;
  double predicted_ms = 0;     // of all tasks of its pass, on the first of them; 0: not measured
  double fastest_ms = 0;       // likewise, of the fastest candidate, whatever formats it would have needed
  std::size_t scratch_bytes = 0;
  std::vector<Place> reads, writes;
  std::vector<TensorType> write_types;
  std::vector<std::string> write_names;
  Place scratch;
  Kernel kernel;
};

// Indices into Program::tasks(). One list and wide: all cores. Otherwise lists that each run whole in one narrow lane.
struct Phase {
  bool wide = true;
  std::vector<std::vector<std::int32_t>> lists;
};

// A value that the caller can write (input, feed) or read (output) between steps.
struct Terminal {
  TensorType type;
  Place place;
};

// Sums of measured task times over the phases, in milliseconds, for the plan with the branches side by side, for the one with a part of the trunk beside them too,
// and for the one with them in turn (engine/compile/compile.hpp, Branches). Reorders, sums of gradients and what is made again count as sweeps over memory; losses are left out.
// 0: not compared.
struct PlannedTimes {
  double side_by_side_ms = 0, beside_trunk_ms = 0, in_turn_ms = 0;
};

// What memory a program needs, for the forecast.
struct MemoryForecast {
  std::size_t arena = 0, own = 0;
};

class Arena {  // one for all programs of a process; as large as the largest needs
 public:
  void reserve(std::size_t bytes);
  std::byte* data() const { return memory_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  Memory memory_;
  std::size_t bytes_ = 0;
};

class Program {
 public:
  std::span<const Task> tasks() const { return tasks_; }
  std::span<const Phase> phases() const { return phases_; }
  MemoryForecast memory() const { return memory_; }
  // Whether branches run side by side, in lanes of their own.
  bool divided() const;
  const PlannedTimes& planned() const { return planned_; }
  DType number_type() const { return number_type_; }
  // Parameters whose gradient this program writes; the optimizer leaves all others alone.
  std::span<const std::string> gradients() const { return gradients_; }
  const std::map<std::string, Terminal, std::less<>>& inputs() const { return inputs_; }
  const std::map<std::string, Terminal, std::less<>>& outputs() const { return outputs_; }
  // Candidates that were left out because they disagreed with the others, one sentence each.
  std::span<const std::string> dropped() const { return dropped_; }

  // The memory of an input, plain layout; valid for the life of the program. Throws if there is no such input.
  template <class T>
  std::span<T> input(std::string_view name) {
    const Terminal& terminal = find(inputs_, name);
    require_plain(name, terminal.type);
    return {static_cast<T*>(address(terminal.place)),
            static_cast<std::size_t>(terminal.type.shape.count())};
  }
  // An input or an output as it lies in memory, whatever its type and format: one sample after another.
  std::span<std::byte> bytes(std::string_view name);
  // Writes an input from numbers of any type, in the order of the plain layout.
  void set(std::string_view name, std::span<const double> numbers);
  // Reads an output as doubles in plain layout, whatever its type and format.
  std::vector<double> get(std::string_view name) const;
  double scalar(std::string_view name) const { return get(name).front(); }
  // An f32 output as it lies in memory, for those that are plain: no copy.
  std::span<const float> view(std::string_view name) const;

  // ---- for the compiler and the executor ----
  struct Parts;
  explicit Program(Parts parts);
  void bind(ParameterStore& store, Arena& arena);
  Arguments arguments(std::int32_t task) const;
  std::uint64_t packed_version = 0;
  // Reference backend only: kernels read this to replay decisions and detached values of an earlier run.
  struct Replay {
    bool on = false;
    const std::byte* arena = nullptr;
    std::vector<std::byte> snapshot;
  };
  std::shared_ptr<Replay> replay;

 private:
  static void require_plain(std::string_view name, const TensorType& type);
  static const Terminal& find(const std::map<std::string, Terminal, std::less<>>& terminals,
                              std::string_view name);
  void* address(const Place& place) const;

  std::vector<Task> tasks_;
  std::vector<Phase> phases_;
  std::map<std::string, Terminal, std::less<>> inputs_, outputs_;
  std::vector<std::string> gradients_, dropped_, slots_;
  std::vector<std::size_t> slot_offsets_;  // bytes, in the bound store
  MemoryForecast memory_;
  PlannedTimes planned_;
  DType number_type_ = DType::f32;
  Arena own_;
  ParameterStore* store_ = nullptr;
  std::byte* arena_ = nullptr;
  std::vector<void*> addresses_;              // of all tasks: reads, then writes, then scratch
  std::vector<std::size_t> first_address_;    // per task
};

struct Program::Parts {
  std::vector<Task> tasks;
  std::vector<Phase> phases;
  std::map<std::string, Terminal, std::less<>> inputs, outputs;
  std::vector<std::string> gradients, dropped, slots;
  MemoryForecast memory;
  PlannedTimes planned;
  DType number_type = DType::f32;
  std::shared_ptr<Replay> replay;
};
}  // namespace autodidact::engine
