#include "train/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include "train/frontier_chart.hpp"
#include "train/markup.hpp"
#include "train/report_charts.hpp"
#include "train/report_comparison.hpp"
#include "train/report_confusion.hpp"
#include "train/report_style.hpp"

namespace autodidact::train {
namespace {

constexpr std::size_t kMostEpochsListed = 400;

// The folders' names where these tell the runs apart, else their paths.
std::vector<std::string> names_of(std::span<const RunRecord> runs) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs) names.push_back(run.name);
  if (std::set<std::string>(names.begin(), names.end()).size() == runs.size()) return names;
  for (std::size_t i = 0; i < runs.size(); ++i) names[i] = runs[i].path;
  return names;
}

std::string counted(std::size_t count, const char* what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

// "resnet18 of width 8, recipe seed, on fashion-mnist; 3 epochs, 450 steps"
std::string summary_of(const RunRecord& run) {
  const auto known = [&](const char* key, const char* before) {
    const std::string value = run.option(key);
    return value.empty() ? value : fmt::format("{}{}", before, value);
  };
  const std::size_t steps = run.rows.empty() ? 0 : static_cast<std::size_t>(run.rows.back().step);
  const double epochs = run.rows.empty() ? 0 : std::round(100 * run.rows.back().epoch) / 100;
  return fmt::format("{}{}{}{}; {} epoch{}, {}", known("model", ""), known("width", " of width "), known("recipe", ", recipe "),
                     known("data", ", on "), epochs, epochs == 1 ? "" : "s", counted(steps, "step"));
}

class Page : MarkupLines {
 public:
  Page(std::span<const RunRecord> runs, std::span<const Figure> early_exit)
      : runs_(runs), names_(names_of(runs)), early_exit_(early_exit) {}

  std::string html() {
    const bool alone = runs_.size() == 1;
    const std::string title = alone ? names_[0] : fmt::format("{} training runs", runs_.size());
    put("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{} · autodidact</title>\n<style>{}</style>\n"
        "</head>\n<body>\n<main>\n<header>\n<h1>{}</h1>", escaped(title), report_style(), escaped(title));
    if (alone) {
      run_header(0);
      put("</header>");
      run_body(runs_[0], "h2");
    } else {
      put("</header>");
      comparison();
      for (std::size_t i = 0; i < runs_.size(); ++i) {
        put("<section id=\"run-{}\">\n<h2>{}</h2>", i + 1, escaped(names_[i]));
        run_header(i);
        run_body(runs_[i], "h3");
        put("</section>");
      }
    }
    if (!early_exit_.empty()) put("<h2 class=\"part\">Early exit</h2>");
    for (const Figure& policy : early_exit_) figure(policy);
    put("</main>\n</body>\n</html>");
    return std::move(out_);
  }

 private:
  void figure(const Figure& figure) {
    put("<figure>\n{}<figcaption>{}</figcaption>\n</figure>", line_chart_svg(figure.chart), escaped(figure.words));
  }

  void run_header(std::size_t i) {
    const RunRecord& run = runs_[i];
    put("<p class=\"lede\">{}</p>", escaped(summary_of(run)));
    put("<p class=\"lede\">{}</p>", run.machine.empty() ? "The machine is not recorded." : escaped(run.machine));
    if (run.cut_off)
      put("<p class=\"note\">The last line of metrics.jsonl is cut off: the run was killed, or goes on. What stands before it is shown.</p>");
    if (run.rows.empty()) put("<p class=\"note\">metrics.jsonl is empty: nothing was measured yet.</p>");
  }

  void run_body(const RunRecord& run, const char* heading) {
    const std::vector<MetricsRow> epochs = epoch_rows(run);
    put("<{0} class=\"part\">Accuracy</{0}>", heading);
    if (epochs.empty()) put("<p>No epoch has ended yet.</p>");
    else accuracy_table(run, epochs);
    figure(accuracy_figure(run));
    if (epochs.size() > 1) epochs_table(epochs);
    put("<{0} class=\"part\">Training</{0}>", heading);
    figure(loss_figure(run));
    put("<div class=\"pair\">");
    for (const Figure& each : exit_loss_figures(run)) figure(each);
    figure(rate_figure(run));
    figure(throughput_figure(run));
    put("</div>");
    if (run.confusion) out_ += confusion_html(*run.confusion, heading);
    if (run.policy) {
      put("<{0} class=\"part\">Early exit</{0}>", heading);
      figure(frontier_figure(*run.policy, "policy.json"));
    }
    put("<{0} class=\"part\">Options</{0}>\n<dl class=\"config\">", heading);
    for (const auto& [key, value] : run.config) put("<div><dt>{}</dt><dd>{}</dd></div>", escaped(key), escaped(value));
    put("</dl>");
  }

  void head_cells() {
    for (std::size_t k = 1; k <= kExits; ++k) put("<th scope=\"col\">exit {}/{}</th>", k, kExits);
    put("<th scope=\"col\">ensemble</th>");
  }

  // "3", "1.43": a whole number unless the epoch was cut
  static std::string epoch_number(const MetricsRow& row) { return fmt::format("{}", std::round(100 * row.epoch) / 100); }
  static std::string epoch_text(const MetricsRow& row) {
    return fmt::format("epoch {}{}", epoch_number(row), row.kind == RowKind::cut ? ", cut short" : "");
  }

  void accuracy_row(const std::string& label, const MetricsRow& row) {
    put("<tr><th scope=\"row\">{}</th>", label);
    for (const double value : columns_of(row.accuracies)) put("<td>{}</td>", percent(value));
    put("<td>{}</td></tr>", std::isfinite(row.loss) ? fmt::format("{:.4f}", row.loss) : "–");
  }

  // Closed by "</table></div>"; wide tables scroll on narrow screens.
  void open_table(const char* style) { put("<div class=\"scroll\"><table class=\"{}\">", style); }

  void accuracy_table(const RunRecord& run, const std::vector<MetricsRow>& epochs) {
    const MetricsRow& best = best_epoch(epochs);
    open_table("figures");
    put("<caption>Accuracy in % on the {} part, where the best epoch is the one with the best {}{}. Training loss.</caption>",
        judged_on(run), std::isfinite(best.accuracies.ensemble) ? "ensemble" : "exit 4/4",
        run.result ? ", and of the last weights on the test half" : "");
    put("<thead><tr><td></td>");
    head_cells();
    put("<th scope=\"col\">loss</th></tr></thead>\n<tbody>");
    accuracy_row("best, " + epoch_text(best), best);
    accuracy_row("last, " + epoch_text(epochs.back()), epochs.back());
    if (run.result) accuracy_row("last, test half", {.accuracies = run.result->test});
    put("</tbody></table></div>");
  }

  void epochs_table(const std::vector<MetricsRow>& epochs) {
    const std::size_t stride = (epochs.size() + kMostEpochsListed - 1) / kMostEpochsListed;
    put("<details><summary>{} as a table</summary>", stride == 1 ? "Every epoch" : fmt::format("One epoch in {}", stride));
    open_table("epochs");
    put("<thead><tr><th scope=\"col\">epoch</th>");
    head_cells();
    put("<th scope=\"col\">loss</th></tr></thead>\n<tbody>");
    for (std::size_t i = 0; i < epochs.size(); i += stride) accuracy_row(epoch_number(epochs[i]), epochs[i]);
    put("</tbody></table></div></details>");
  }

  void comparison() {
    out_ += comparison_html(runs_);
    std::vector<std::vector<MetricsRow>> epochs;
    std::array<double, kColumns> best{};
    for (const RunRecord& run : runs_) {
      epochs.push_back(epoch_rows(run));
      if (epochs.back().empty()) continue;
      const auto columns = columns_of(best_epoch(epochs.back()).accuracies);
      for (std::size_t k = 0; k < kColumns; ++k) best[k] = std::fmax(best[k], columns[k]);
    }
    open_table("figures");
    put("<caption>Accuracy in % of each run’s best epoch, on the part that it was picked on; the largest of each column is bold. "
        "Images a second: median.</caption>\n<thead><tr><th scope=\"col\">run</th><th scope=\"col\">epoch</th>");
    head_cells();
    put("<th scope=\"col\" class=\"text\">part</th><th scope=\"col\">images/s</th></tr></thead>\n<tbody>");
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const MetricsRow row = epochs[i].empty() ? MetricsRow{} : best_epoch(epochs[i]);
      put("<tr><th scope=\"row\"><a href=\"#run-{}\">{}</a></th><td>{}</td>", i + 1, escaped(names_[i]),
          epochs[i].empty() ? "–" : fmt::format("{} of {}", epoch_number(row), epoch_number(epochs[i].back())));
      const auto columns = columns_of(row.accuracies);
      for (std::size_t k = 0; k < kColumns; ++k)
        put("<td{}>{}</td>", columns[k] == best[k] ? " class=\"best\"" : "", percent(columns[k]));
      const double speed = median_throughput(runs_[i]);
      put("<td class=\"text\">{}</td><td>{}</td></tr>", judged_on(runs_[i]), std::isfinite(speed) ? fmt::format("{:.0f}", speed) : "–");
    }
    put("</tbody></table></div>");
    figure(comparison_figure(runs_, names_));
    differences();
  }

  // The options that are not alike in all runs; where a run writes its files says nothing about it.
  void differences() {
    std::map<std::string, std::vector<std::string>> values;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      for (const auto& [key, value] : runs_[i].config) {
        auto& all = values[key];
        all.resize(runs_.size());
        all[i] = value;
      }
    }
    values["machine"].resize(runs_.size());
    for (std::size_t i = 0; i < runs_.size(); ++i) values["machine"][i] = runs_[i].machine;
    std::erase_if(values, [](const auto& entry) {
      const auto& [key, all] = entry;
      return key == "out" || key == "overwrite" || std::all_of(all.begin(), all.end(), [&all = all](auto& value) { return value == all[0]; });
    });
    put("<h2 class=\"part\">Options that differ</h2>");
    if (values.empty()) {
      put("<p>None.</p>");
      return;
    }
    open_table("differences");
    put("<thead><tr><th scope=\"col\">option</th>");
    for (const std::string& name : names_) put("<th scope=\"col\">{}</th>", escaped(name));
    put("</tr></thead>\n<tbody>");
    for (const auto& [key, all] : values) {
      put("<tr><th scope=\"row\">{}</th>", escaped(key));
      for (const std::string& value : all) put("<td>{}</td>", value.empty() ? "–" : escaped(value));
      put("</tr>");
    }
    put("</tbody></table></div>");
  }

  std::span<const RunRecord> runs_;
  std::vector<std::string> names_;
  std::span<const Figure> early_exit_;
};
}  // namespace

std::string report_html(std::span<const RunRecord> runs, std::span<const Figure> early_exit) {
  if (runs.empty()) throw std::invalid_argument("a report needs at least one run");
  return Page(runs, early_exit).html();
}
}  // namespace autodidact::train
