// train/report_style.hpp: how a report looks: one style sheet, for screens light and dark, narrow and wide, and for paper.
#pragma once
#include <string>

namespace autodidact::train {

std::string report_style();

}  // namespace autodidact::train
