// train/heat_map.hpp: a confusion matrix as an SVG picture: a row for each true class, a column for each answer.
//
// What is right is blue, what is wrong orange, and each the stronger the more: the right ones by their share of the row, the wrong ones
// relative to `worst`, since else one would not see them. Cells hold whole per cents where they have room, and a title with the numbers.
#pragma once
#include <string>

#include "train/confusion.hpp"

namespace autodidact::train {

inline constexpr std::size_t kMostMappedClasses = 20;

// The largest share of a wrong answer at any exit; 0 if there is none.
double worst_share(const Confusion& confusion);
// `column`: one that is there. Throws nothing for at most kMostMappedClasses classes.
std::string confusion_svg(const Confusion& confusion, std::size_t column, const std::string& title, double worst);
}  // namespace autodidact::train
