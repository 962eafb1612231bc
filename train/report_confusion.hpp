// train/report_confusion.hpp: which class is taken for which, as a part of a report: a heat map of each exit where the classes are few,
// always the most frequent mistakes in words or in a table, and the accuracy of every class at every exit.
#pragma once
#include <string>

#include "train/confusion.hpp"

namespace autodidact::train {

// HTML. `heading`: h2 or h3.
std::string confusion_html(const Confusion& confusion, const char* heading);
}  // namespace autodidact::train
