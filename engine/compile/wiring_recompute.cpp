// The part of Wiring that decides what forward need not keep, and makes it again for the first reader in backward.
#include <algorithm>

#include "engine/compile/wiring.hpp"

namespace autodidact::engine::compile_passes {

int Wiring::chain_before(const Node& node) const {
  int longest = 0;
  for (const ValueId id : node.inputs) longest = std::max(longest, chain_[static_cast<std::size_t>(id.index)]);
  return longest;
}

// Made again by about one sweep over memory, and so are the few values that it is made of and that are not kept either.
bool Wiring::is_cheap(const Node& node, const Candidate& candidate) const {
  // Of the outputs of residual blocks every fifth is kept: the first reader of a chain brings all of it back at once.
  constexpr int kLongestChain = 4;
  return candidate.again && chain_before(node) < kLongestChain;
}

// After a node's forward pass. Primitives are made in the lane that runs them, so a value can be made again only for readers in its own.
void Wiring::decide_dropping(const Node& node, const Candidate& candidate) {
  // A smaller buffer is not worth a task.
  constexpr std::int64_t kSmallestElements = std::int64_t{1} << 14U;
  const Recompute wish = draft_.options.recompute;
  if (wish == Recompute::none || node.outputs.size() != 1) return;
  const auto output = static_cast<std::size_t>(node.outputs.front().index);
  const Value& value = draft_.graph.value(node.outputs.front());
  if (!private_[output] || value.shape.count() < kSmallestElements) return;
  if (wish == Recompute::stage && value.checkpoint) return;
  const bool cheap = is_cheap(node, candidate);
  if (cheap) chain_[output] = chain_before(node) + 1;
  dropped_[output] = cheap || (wish == Recompute::stage && (candidate.again || candidate.keeps.empty()));
}

int Wiring::available(const Current& now, ValueId value) {
  const bool backward = now.step.pass != Pass::forward && now.step.pass != Pass::commit;
  if (backward && dropped_[static_cast<std::size_t>(value.index)]) recompute(value, now.branch);
  return base(value);
}

// Whatever it needs that has been dropped as well is made on the way. Of that, what is cheap goes again: its reader in backward
// makes it a second time.
void Wiring::recompute(ValueId value, int branch) {
  std::vector<ValueId> made;
  const bool outermost = sweep_ == nullptr;
  if (outermost) sweep_ = &made;
  const NodeId producer = draft_.graph.value(value).producer;
  const Chosen chosen = chosen_[static_cast<std::size_t>(producer.index)];
  Emission emission(*draft_.options.communicator);
  (chosen.candidate->again ? chosen.candidate->again : chosen.candidate->emit)(emission);
  dropped_[static_cast<std::size_t>(value.index)] = false;
  base(value) = -1;  // the emitted task writes a buffer of its own, which all later readers take
  add({producer, Pass::recompute, {}, branch}, *chosen.query, *chosen.candidate, std::move(emission));
  if (!outermost) {
    sweep_->push_back(value);
    return;
  }
  sweep_ = nullptr;
  const auto chain = [&](ValueId id) { return chain_[static_cast<std::size_t>(id.index)]; };
  if (std::all_of(made.begin(), made.end(), [&](ValueId id) { return chain(id) > 0; })) return;
  for (const ValueId id : made)
    if (chain(id) > 0) dropped_[static_cast<std::size_t>(id.index)] = true;
}
}  // namespace autodidact::engine::compile_passes
