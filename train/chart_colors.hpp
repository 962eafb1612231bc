// train/chart_colors.hpp: the colours of charts, on white paper and on a dark page.
//
// Lines take the palette of Okabe & Ito, "Color universal design", 2008, without the yellow that is too pale on white; exits are
// shades of one blue from shallow to deep. A chart carries its colours as attributes and needs no style sheet; a page that wants
// it dark says so with dark_chart_rules(), which names these colours and their counterparts.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "train/exit_accuracies.hpp"

namespace autodidact::train {

inline constexpr std::string_view kInk = "#1f2933", kInkSoft = "#5b6875", kGrid = "#e6eaee";
inline constexpr std::string_view kAxis = "#9aa5b1", kPaper = "#ffffff";
inline constexpr std::array<std::string_view, 6> kPalette{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"};
inline constexpr std::array<std::string_view, kExits> kExitColors{"#8fc1e3", "#4a94c9", "#1f67a3", "#0b3556"};
inline constexpr std::string_view kEnsembleColor = "#d9541e";

/// CSS rules for SVG inside a page; the caller wraps them in its media query.
std::string dark_chart_rules();

}  // namespace autodidact::train
