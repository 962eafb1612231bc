#include "optim/weight_average.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace autodidact::optim {
namespace {
using engine::ParameterStore, engine::Section;

// A section as a whole, gaps included: they are zeros and stay so.
std::vector<Chunk> chunks_of_section(std::int64_t elements) {
  std::vector<Chunk> chunks;
  for (std::int64_t first = 0; first < elements; first += kChunkElements)
    chunks.push_back({first, std::min(kChunkElements, elements - first)});
  return chunks;
}

template <class T>
void average(engine::Lane& lane, std::span<const Chunk> chunks, Section section, const ParameterStore& store, T part, ParameterStore& into) {
  for_each_chunk(lane, chunks, [&](const Chunk& chunk, std::size_t) {
    const T* __restrict w = elements<T>(store, section, chunk);
    T* __restrict a = elements<T>(into, section, chunk);
    for (std::int64_t i = 0; i < chunk.count; ++i) a[i] += part * (w[i] - a[i]);
  });
}
}  // namespace

void check_average_decay(double decay) {
  if (!(decay >= 0 && decay < 1)) throw std::invalid_argument(fmt::format("the decay of averaged weights must be at least 0 and below 1, got {}", decay));
}

WeightAverage::WeightAverage(const ParameterStore& store, double decay)
    : decay_(decay),
      parameters_(chunks_of_section(store.layout().parameter_elements())),
      states_(chunks_of_section(store.layout().state_elements())),
      average_(store.shared_layout(), store.master(), false) {
  check_average_decay(decay);
  copy(store);
}

void WeightAverage::copy(const ParameterStore& store) {
  const std::size_t width = engine::bytes_of(store.master());
  const auto take = [&](Section section, std::int64_t elements) {
    if (elements) std::memcpy(average_.data(section), store.data(section), static_cast<std::size_t>(elements) * width);
  };
  take(Section::values, store.layout().parameter_elements());
  take(Section::states, store.layout().state_elements());
  average_.stage();
  average_.touched();
}

void WeightAverage::update(engine::Lane& lane, const ParameterStore& store, std::int64_t before) {
  const auto t = static_cast<double>(before);
  const double part = 1 - std::min(decay_, (1 + t) / (10 + t));
  in_master_type(store, [&](auto number) {
    using T = decltype(number);
    average(lane, parameters_, Section::values, store, static_cast<T>(part), average_);
    average(lane, states_, Section::states, store, static_cast<T>(part), average_);
  });
  average_.touched();
}
}  // namespace autodidact::optim
