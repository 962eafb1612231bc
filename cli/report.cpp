// `autodidact report`
#include <fmt/format.h>

#include <filesystem>

#include "cli/command.hpp"
#include "train/atomic_file.hpp"
#include "train/frontier_chart.hpp"
#include "train/report.hpp"

namespace autodidact::cli {

int run_report(const Arguments& arguments) {
  std::vector<std::string> directories, policies;
  std::string out;
  App app("report", "Writes one HTML page about one or several runs: accuracies, curves, options, and how they compare.");
  app->add_option("runs", directories, "run directories, as train --out wrote them")->required();
  app->add_option("--policy", policies, "policies, as calibrate writes them: accuracy against time of leaving early")
      ->allow_extra_args(false);
  app->add_option("--out", out, "HTML file to write")->required();
  app.dump_if_given({"--policy"});
  app.parse(arguments);

  train::require_replaceable(out);
  std::vector<train::RunRecord> runs;
  for (const std::string& directory : directories) runs.push_back(train::read_run(directory));
  std::vector<train::Figure> early_exit;
  for (const std::string& policy : policies)
    early_exit.push_back(train::frontier_figure(train::read_policy(policy), std::filesystem::path(policy).filename().string()));
  train::write_file_atomically(out, train::report_html(runs, early_exit));
  fmt::print("{}: {} run{}\n", out, runs.size(), runs.size() == 1 ? "" : "s");
  return 0;
}
}  // namespace autodidact::cli
