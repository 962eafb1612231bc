// train/report.hpp: training runs as one page: HTML with its style sheet and its charts inside, which needs no network and no script,
// prints, and is dark where the reader's screen is.
//
// One run: its best and last accuracies, its curves, its options. Several: how they compare and in which options they differ, then
// each of them. The page depends on nothing but the runs, and whatever their files hold is escaped. It is XML too: every element is
// closed.
#pragma once
#include <span>
#include <string>

#include "train/report_charts.hpp"
#include "train/run_record.hpp"

namespace autodidact::train {

// `early_exit`: figures of policies (train/frontier_chart.hpp), shown behind the runs. Throws std::invalid_argument without any run.
std::string report_html(std::span<const RunRecord> runs, std::span<const Figure> early_exit = {});

}  // namespace autodidact::train
