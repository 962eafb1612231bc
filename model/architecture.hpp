// model/architecture.hpp: the nine residual networks, as a table.
//
// Source    ResNet: He et al. 2016, arXiv:1512.03385, table 1. Wide: Zagoruyko & Komodakis 2016, arXiv:1605.07146. ResNeXt: Xie
//           et al. 2017, arXiv:1611.05431. Names and numbers as in torchvision.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace autodidact::model {

// basic: 3×3, 3×3, out = planes · bottleneck: 1×1, 3×3, 1×1, out = 4·planes.
enum class Block : std::uint8_t { basic, bottleneck };
constexpr std::int64_t expansion_of(Block block) { return block == Block::basic ? 1 : 4; }

struct Architecture {
  std::string_view name;
  Block block = Block::basic;
  std::array<int, 4> depths{};        // blocks in each stage
  std::int64_t groups = 1;            // of the 3×3 of a bottleneck
  std::int64_t width_per_group = 64;  // channels a group of that 3×3, for 64 planes
};

std::span<const Architecture> architectures();

// Throws std::invalid_argument with the list of names.
const Architecture& architecture_by_name(std::string_view name);
}  // namespace autodidact::model
