// optim/update_rule.hpp: what every optimizer is: sweeps over the parameter store that turn gradients into new values.
//
// Only the parameters that are named when a rule is made change, in value and in what is kept of them: those for which a program
// writes a gradient. No gradient is not a zero gradient: it means no decay and no drift either.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/parameter_store.hpp"
#include "engine/threads.hpp"

namespace autodidact::optim {

struct UpdateStep {
  double learning_rate = 0;
  double gradient_scale = 1;  // every gradient is multiplied by it first: clipping (optim/clipping.hpp)
  std::int64_t step = 1;      // of the run, from 1
};

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // Gives the store the sections that the rule keeps its state in, beyond those of every learning store.
  virtual void prepare(engine::ParameterStore&) const {}
  // In the store's master type (f32 or f64). The caller publishes the new values (ParameterStore::commit). The result does not depend
  // on the lane, and nothing is allocated.
  virtual void step(engine::Lane& lane, engine::ParameterStore& store, const UpdateStep& step) = 0;
};

// Throws std::invalid_argument, with the name, unless the number is finite and ≥ 0.
void require_not_negative(double value, std::string_view name);
}  // namespace autodidact::optim
