#include "optim/parameter_chunks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string_view>

namespace autodidact::optim {

std::vector<Chunk> chunks_of(const engine::ParameterLayout& layout,
                             std::span<const std::string> names,
                             const std::function<bool(const engine::Slot&)>& decay) {
  std::set<std::string_view> wanted;
  for (const std::string& name : names) {
    if (!layout.parameter(name))
      throw std::invalid_argument(fmt::format("the model has no parameter {}", name));
    wanted.insert(name);
  }
  std::vector<Chunk> chunks;
  for (const engine::Slot& slot : layout.parameters()) {
    if (!wanted.contains(slot.name)) continue;
    for (std::int64_t first = 0; first < slot.count; first += kChunkElements)
      chunks.push_back(
          {slot.offset + first, std::min(kChunkElements, slot.count - first), decay(slot)});
  }
  return chunks;
}
}  // namespace autodidact::optim
