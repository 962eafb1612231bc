#include "optim/optimizer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace autodidact::optim {
namespace {

std::unique_ptr<UpdateRule> make(const SgdOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients) {
  return std::make_unique<Sgd>(options, layout, gradients);
}
std::unique_ptr<UpdateRule> make(const LarsOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients) {
  return std::make_unique<Lars>(options, layout, gradients);
}
std::unique_ptr<UpdateRule> make(const AdamwOptions& options, const engine::ParameterLayout& layout, std::span<const std::string> gradients) {
  return std::make_unique<Adamw>(options, layout, gradients);
}
}  // namespace

void check(const OptimizerOptions& options) {
  std::visit([](const auto& chosen) { check(chosen); }, options);
}

std::unique_ptr<UpdateRule> make_update_rule(const OptimizerOptions& options, const engine::ParameterLayout& layout,
                                             std::span<const std::string> gradients) {
  return std::visit([&](const auto& chosen) { return make(chosen, layout, gradients); }, options);
}

void require_not_negative(double value, std::string_view name) {
  if (!(value >= 0) || !std::isfinite(value))
    throw std::invalid_argument(fmt::format("{} must be a finite number that is not negative, got {}", name, value));
}
}  // namespace autodidact::optim
