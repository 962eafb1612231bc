// optim/optimizer.hpp: one of the update rules, by its options.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "optim/adamw.hpp"
#include "optim/lars.hpp"
#include "optim/sgd.hpp"
#include "optim/update_rule.hpp"

namespace autodidact::optim {

using OptimizerOptions = std::variant<SgdOptions, LarsOptions, AdamwOptions>;

// Throws std::invalid_argument for numbers that cannot be.
void check(const OptimizerOptions& options);

// `gradients`: Program::gradients(). Throws as check() does, and std::invalid_argument if the layout lacks a name.
std::unique_ptr<UpdateRule> make_update_rule(const OptimizerOptions& options, const engine::ParameterLayout& layout,
                                             std::span<const std::string> gradients);
}  // namespace autodidact::optim
