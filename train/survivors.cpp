#include "train/survivors.hpp"

#include <algorithm>
#include <map>

#include "engine/bf16.hpp"

namespace autodidact::train {
using engine::Place, engine::Program, engine::Region, engine::Shape, engine::Task, engine::TensorType;

namespace {

// Bytes begin … end of the arena, written at a place in the order of execution.
struct Writing {
  std::size_t begin = 0, end = 0;
  std::size_t phase = 0, list = 0, position = 0;
};

// Lists of one phase run side by side.
bool may_follow(const Writing& later, const Writing& first) {
  if (later.phase != first.phase) return later.phase > first.phase;
  return later.list != first.list || later.position > first.position;
}

struct Produced {
  Writing writing;
  TensorType type;
};

class Account {
 public:
  Account(const Program& program, const engine::Graph& graph) : graph_(graph) {
    for (std::size_t p = 0; p < program.phases().size(); ++p) {
      const auto& lists = program.phases()[p].lists;
      for (std::size_t l = 0; l < lists.size(); ++l)
        for (std::size_t i = 0; i < lists[l].size(); ++i)
          add(program.tasks()[static_cast<std::size_t>(lists[l][i])], p, l, i);
    }
  }

  // Name of the value → where it lies, for all that have survived.
  std::map<std::string, Produced> survivors() const {
    std::map<std::string, Produced> alive;
    for (const auto& [name, produced] : produced_) {
      const Writing& own = produced.writing;
      const bool overwritten = std::any_of(writings_.begin(), writings_.end(), [&](const Writing& other) {
        return other.begin < own.end && own.begin < other.end && may_follow(other, own);
      });
      if (!overwritten) alive.emplace(name, produced);
    }
    return alive;
  }

 private:
  void add(const Task& task, std::size_t phase, std::size_t list, std::size_t position) {
    const auto note = [&](const Place& place, std::size_t bytes) {
      if (place.region == Region::arena && bytes > 0)
        writings_.push_back({place.offset, place.offset + bytes, phase, list, position});
    };
    note(task.scratch, task.scratch_bytes);
    for (std::size_t w = 0; w < task.writes.size(); ++w) {
      note(task.writes[w], task.write_types[w].bytes());
      const engine::ValueId value = graph_.find(task.write_names[w]);
      const bool produces = task.pass == engine::Pass::forward && !task.node.empty() && value.valid() &&
                            graph_.value(value).source == engine::Source::node;
      if (produces && task.writes[w].region == Region::arena)
        produced_[task.write_names[w]] = {writings_.back(), task.write_types[w]};
    }
  }

  const engine::Graph& graph_;
  std::vector<Writing> writings_;
  std::map<std::string, Produced> produced_;
};

template <class T>
std::vector<double> plain(const T* data, const TensorType& type) {
  std::vector<double> numbers(static_cast<std::size_t>(type.shape.count()));
  if (type.shape.rank() != 4) {
    std::copy_n(data, numbers.size(), numbers.begin());
    return numbers;
  }
  const std::int64_t b = type.format.block, pixels = type.shape[2] * type.shape[3];
  std::size_t i = 0;
  for (std::int64_t n = 0; n < type.shape[0]; ++n)
    for (std::int64_t c = 0; c < type.shape[1]; ++c)
      for (std::int64_t p = 0; p < pixels; ++p)
        numbers[i++] = static_cast<double>(data[((n * type.channel_blocks() + c / b) * pixels + p) * b + c % b]);
  return numbers;
}
}  // namespace

std::vector<Survivor> survivors(const Program& program, const engine::Graph& graph, const engine::Arena& arena) {
  std::vector<Survivor> found;
  for (const auto& [name, produced] : Account(program, graph).survivors()) {
    const TensorType& type = produced.type;
    if (type.dtype != engine::DType::f32 && type.dtype != engine::DType::bf16) continue;
    engine::with_element(type.dtype, [&, &name = name, &produced = produced](auto t) {
      const auto* data = reinterpret_cast<const decltype(t)*>(arena.data() + produced.writing.begin);
      found.push_back({"value/" + name, type.shape, plain(data, type)});
    });
  }
  return found;
}
}  // namespace autodidact::train
