#include "train/chart_colors.hpp"

#include <fmt/format.h>

#include <utility>

namespace autodidact::train {
namespace {

// On a dark page the deepest exit is the lightest, so that depth still reads as weight.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kDark{{
    {kInk, "#e4e9ee"}, {kInkSoft, "#9fadba"}, {kGrid, "#28313a"}, {kAxis, "#5f6d7a"}, {kPaper, "#14191e"},
    {kPalette[0], "#4a9fe0"}, {kPalette[1], "#f0843a"}, {kPalette[2], "#2cc295"}, {kPalette[3], "#e09cc3"},
    {kPalette[4], "#9bd6f7"}, {kPalette[5], "#f2b632"},
    {kExitColors[0], "#33658a"}, {kExitColors[1], "#4b93c8"}, {kExitColors[2], "#86bfe8"}, {kExitColors[3], "#d3e9f8"},
    {kEnsembleColor, "#ff8a4f"},
}};

}  // namespace

std::string dark_chart_rules() {
  std::string rules;
  for (const auto& [light, dark] : kDark)
    rules += fmt::format(":is(svg,svg *)[fill=\"{0}\"]{{fill:{1}}}:is(svg,svg *)[stroke=\"{0}\"]{{stroke:{1}}}\n", light, dark);
  return rules;
}

}  // namespace autodidact::train
