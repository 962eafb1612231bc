#include "model/initialise.hpp"

#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/random.hpp"

namespace autodidact::model {
namespace {
using engine::ParameterLayout, engine::ParameterStore, engine::Random, engine::Section,
    engine::Slot;

// FNV-1a (Fowler, Noll, Vo), 64 bits: a number for a name, the same everywhere.
std::uint64_t number_of(std::string_view name) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// "fc4.bias" → "fc4.weight".
std::string sibling(const std::string& name, std::string_view of, std::string_view other) {
  return name.substr(0, name.size() - of.size()) + std::string(other);
}

// layerS.B.bn2.weight of a basic block, layerS.B.bn3.weight of a bottleneck.
bool is_last_gamma(const ParameterLayout& layout, const std::string& name) {
  constexpr std::string_view kSecond = ".bn2.weight", kThird = ".bn3.weight";
  if (!name.starts_with("layer")) return false;
  return name.ends_with(kThird) ||
         (name.ends_with(kSecond) && !layout.parameter(sibling(name, kSecond, kThird)));
}

std::vector<double> numbers(const Slot& slot, const std::function<double()>& draw) {
  std::vector<double> all(static_cast<std::size_t>(slot.count));
  for (double& number : all) number = static_cast<float>(draw());
  return all;
}

std::vector<double> initial(const ParameterLayout& layout, const Slot& slot, std::uint64_t seed,
                            InitialiseOptions options) {
  Random random(seed, engine::Purpose::parameters, 0, number_of(slot.name));
  const auto uniform = [&](std::int64_t fan_in) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    return numbers(slot, [&] { return random.uniform(-bound, bound); });
  };
  if (slot.shape.rank() == 4) {
    const std::int64_t fan_out = slot.shape[0] * slot.shape[2] * slot.shape[3];
    const double deviation = std::sqrt(2.0 / static_cast<double>(fan_out));
    return numbers(slot, [&] { return deviation * random.normal(); });
  }
  if (slot.shape.rank() == 2) return uniform(slot.shape[1]);
  const bool bias = slot.name.ends_with(".bias");
  const Slot* weight = bias ? layout.parameter(sibling(slot.name, ".bias", ".weight")) : nullptr;
  if (weight && weight->shape.rank() == 2) return uniform(weight->shape[1]);
  const bool zero = bias || (options.zero_init_residual && is_last_gamma(layout, slot.name));
  return numbers(slot, [&] { return zero ? 0.0 : 1.0; });
}
}  // namespace

void initialise(ParameterStore& store, std::uint64_t seed, InitialiseOptions options) {
  const ParameterLayout& layout = store.layout();
  for (const Slot& slot : layout.parameters())
    store.set(Section::values, slot, initial(layout, slot, seed, options));
  for (const Slot& slot : layout.states()) {
    const double start = slot.name.ends_with(".running_var") ? 1 : 0;
    store.set(Section::states, slot, numbers(slot, [&] { return start; }));
  }
  store.stage();
}
}  // namespace autodidact::model
