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
  const auto slots = layout.parameters();
  for (std::size_t s = 0; s < slots.size(); ++s) {
    const engine::Slot& slot = slots[s];
    if (!wanted.contains(slot.name)) continue;
    for (std::int64_t first = 0; first < slot.count; first += kChunkElements)
      chunks.push_back({slot.offset + first, std::min(kChunkElements, slot.count - first), static_cast<std::int32_t>(s), decay(slot)});
  }
  return chunks;
}

bool of_batch_norm(const engine::ParameterLayout& layout, const engine::Slot& slot) {
  constexpr std::string_view kBias = ".bias";
  if (!slot.name.ends_with(kBias)) return slot.shape.rank() == 1;
  const engine::Slot* weight = layout.parameter(slot.name.substr(0, slot.name.size() - kBias.size()) + ".weight");
  return weight && weight->shape.rank() == 1;
}

std::function<bool(const engine::Slot&)> decaying(const engine::ParameterLayout& layout, bool decay_batch_norm) {
  return [&layout, decay_batch_norm](const engine::Slot& slot) { return decay_batch_norm || !of_batch_norm(layout, slot); };
}
}  // namespace autodidact::optim
