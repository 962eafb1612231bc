// optim/parameter_chunks.hpp: the parameters that a step changes, cut into pieces of at most kChunkElements.
//
// Parameters differ in size by five powers of ten; chunks are what a sweep hands to its threads, and what it sums one by one,
// so that a sum over all of them is the same for any number of threads.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/parameter_store.hpp"
#include "engine/threads.hpp"

namespace autodidact::optim {

inline constexpr std::int64_t kChunkElements = 8192;

struct Chunk {
  std::int64_t offset = 0;  // in elements, from the start of a section of the store
  std::int64_t count = 0;
  std::int32_t slot = 0;  // of the layout's parameters
  bool decay = true;      // weight decay applies
};

// The chunks of the named parameters, in the order of the layout, whatever the order of the names. `decay` says whether
// weight decay applies to a parameter. Throws std::invalid_argument if the layout lacks a name.
std::vector<Chunk> chunks_of(const engine::ParameterLayout& layout,
                             std::span<const std::string> names,
                             const std::function<bool(const engine::Slot&)>& decay);

// Of the γ and β of a batch norm: a weight of rank 1 scales channels, and a bias belongs to the weight of the same module.
bool of_batch_norm(const engine::ParameterLayout& layout, const engine::Slot& slot);

// The decay of all parameters, or of all but those of batch norms.
std::function<bool(const engine::Slot&)> decaying(const engine::ParameterLayout& layout, bool decay_batch_norm);

// Calls body(0.0) or body(0.0F): a number of the store's master type.
template <class Body>
void in_master_type(const engine::ParameterStore& store, const Body& body) {
  if (store.master() == engine::DType::f64) body(double{});
  else body(float{});
}

// Calls body(chunk, i) for every chunk, on all threads of the lane.
template <class Body>
void for_each_chunk(engine::Lane& lane, std::span<const Chunk> chunks, const Body& body) {
  lane.parallel(static_cast<std::int64_t>(chunks.size()), [&](std::int64_t begin, std::int64_t end, int) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) body(chunks[i], i);
  });
}

// The elements of a chunk in one section; T is the master type of the store.
template <class T>
T* elements(engine::ParameterStore& store, engine::Section section, const Chunk& chunk) {
  return reinterpret_cast<T*>(store.data(section)) + chunk.offset;
}
template <class T>
const T* elements(const engine::ParameterStore& store, engine::Section section,
                  const Chunk& chunk) {
  return reinterpret_cast<const T*>(store.data(section)) + chunk.offset;
}
}  // namespace autodidact::optim
