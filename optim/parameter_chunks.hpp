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

namespace autodidact::optim {

inline constexpr std::int64_t kChunkElements = 8192;

struct Chunk {
  std::int64_t offset = 0;  // in elements, from the start of a section of the store
  std::int64_t count = 0;
  bool decay = true;  // weight decay applies
};

// The chunks of the named parameters, in the order of the layout, whatever the order of the names. `decay` says whether
// weight decay applies to a parameter. Throws std::invalid_argument if the layout lacks a name.
std::vector<Chunk> chunks_of(const engine::ParameterLayout& layout,
                             std::span<const std::string> names,
                             const std::function<bool(const engine::Slot&)>& decay);

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
