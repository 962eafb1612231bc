#include "train/run_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include "data/error.hpp"
#include "train/machine.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMachine = "# machine: ";
constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20;  // a row has 250 bytes: a million rows

std::string read_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw data::DataError(fmt::format("{}: no such file, so its folder holds no run", path.string()));
  if (!fs::is_regular_file(status)) throw data::DataError(fmt::format("{} is not a file", path.string()));
  if (fs::file_size(path, error) > kMaxBytes && !error)
    throw data::DataError(fmt::format("{} has more than {} MB", path.string(), kMaxBytes >> 20));
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw data::DataError(fmt::format("{} cannot be read", path.string()));
  return text;
}

// Calls visit(line, its number from 1, whether it has an end).
template <typename Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    visit(text.substr(0, end), number, end != std::string_view::npos);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::string_view without(std::string_view text, std::string_view ends) {
  const std::size_t begin = text.find_first_not_of(ends);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(ends) + 1 - begin);
}

void read_config(const fs::path& path, RunRecord& run) {
  run.config_text = read_file(path);
  for_each_line(run.config_text, [&](std::string_view line, std::size_t number, bool) {
    if (line.starts_with(kMachine)) run.machine = line.substr(kMachine.size());
    line = without(line, " \t\r");
    if (line.empty() || line[0] == '#' || line[0] == '[') return;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0)
      throw data::DataError(fmt::format("{}: line {} is not KEY=VALUE", path.string(), number));
    const std::string_view value = without(line.substr(equals + 1), " \t");
    run.config.emplace_back(without(line.substr(0, equals), " \t\""), without(value, value.starts_with('\'') ? "'" : "\""));
  });
}

void read_metrics(const fs::path& path, RunRecord& run) {
  for_each_line(read_file(path), [&](std::string_view line, std::size_t number, bool ended) {
    try {
      run.rows.push_back(from_json_line(line));
    } catch (const std::invalid_argument& error) {
      if (ended) throw data::DataError(fmt::format("{}: line {} {}", path.string(), number, error.what()));
      run.cut_off = true;
    }
  });
}

template <class Is>
std::vector<MetricsRow> selected(const RunRecord& run, const Is& is) {
  std::vector<MetricsRow> rows;
  std::copy_if(run.rows.begin(), run.rows.end(), std::back_inserter(rows), is);
  return rows;
}

// read(text) where there is such a file. `joint`: between its name and what `read` says of it.
template <class Read>
auto read_optional(const fs::path& path, const Read& read, const char* joint = " ") -> std::optional<decltype(read(""))> {
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  try {
    return read(read_file(path));
  } catch (const std::invalid_argument& reason) {
    throw data::DataError(fmt::format("{}{}{}", path.string(), joint, reason.what()));
  }
}

double score(const MetricsRow& row) {
  const double best = std::isfinite(row.accuracies.ensemble) ? row.accuracies.ensemble : row.accuracies.exits[kExits - 1];
  return std::isfinite(best) ? best : -1;
}
}  // namespace

std::string RunRecord::option(std::string_view key) const {
  for (const auto& [option, value] : config)
    if (option == key) return value;
  return {};
}

RunRecord read_run(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) throw data::DataError(fmt::format("{}: no such run directory", directory.string()));
  RunRecord run;
  run.path = directory.string();
  const fs::path whole = fs::weakly_canonical(directory, error);
  run.name = (error ? directory : whole).filename().string();
  read_config(directory / "config.toml", run);
  read_metrics(directory / "metrics.jsonl", run);
  run.result = read_optional(directory / "result.json", result_from_json);
  run.confusion = read_optional(directory / "confusion.json", confusion_from_json);
  run.policy = read_optional(directory / "policy.json", policy_from_text, ": ");
  return run;
}

std::string describe_machine(int threads) {
  const std::string cpu = cpuinfo("model name");
  return fmt::format("{}{}, {} thread{}\n", kMachine, cpu.empty() ? "unknown CPU" : cpu, threads, threads == 1 ? "" : "s");
}

std::vector<MetricsRow> epoch_rows(const RunRecord& run) {
  return selected(run, [](const MetricsRow& row) { return row.judged(); });
}

std::vector<MetricsRow> step_rows(const RunRecord& run) {
  std::vector<MetricsRow> rows = selected(run, [](const MetricsRow& row) { return row.kind == RowKind::steps; });
  return rows.size() < 2 ? run.rows : rows;
}

const MetricsRow& best_epoch(const std::vector<MetricsRow>& epochs) {
  return *std::max_element(epochs.begin(), epochs.end(),
                           [](const MetricsRow& a, const MetricsRow& b) { return score(a) < score(b); });
}

std::string_view judged_on(const RunRecord& run) {
  const bool compat = run.option("compat") == "seed";
  if (run.option("best-on-test") == "true" || (compat && run.option("validation") != "true")) return "test";
  return run.option("validation") == "false" ? "training" : "validation";
}
}  // namespace autodidact::train
