#include "model/architecture.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace autodidact::model {
namespace {

constexpr Architecture kArchitectures[] = {
    {"resnet18", Block::basic, {2, 2, 2, 2}},
    {"resnet34", Block::basic, {3, 4, 6, 3}},
    {"resnet50", Block::bottleneck, {3, 4, 6, 3}},
    {"resnet101", Block::bottleneck, {3, 4, 23, 3}},
    {"resnet152", Block::bottleneck, {3, 8, 36, 3}},
    {"wide_resnet50_2", Block::bottleneck, {3, 4, 6, 3}, 1, 128},
    {"wide_resnet101_2", Block::bottleneck, {3, 4, 23, 3}, 1, 128},
    {"resnext50_32x4d", Block::bottleneck, {3, 4, 6, 3}, 32, 4},
    {"resnext101_32x8d", Block::bottleneck, {3, 4, 23, 3}, 32, 8},
};
}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture& architecture_by_name(std::string_view name) {
  std::string known;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) return architecture;
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  throw std::invalid_argument(fmt::format("there is no model '{}': {}", name, known));
}
}  // namespace autodidact::model
