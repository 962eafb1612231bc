#include "train/comparison_run.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "train/errors.hpp"
#include "train/interruption.hpp"
#include "train/progress.hpp"
#include "train/resume.hpp"
#include "train/run_record.hpp"

namespace autodidact::train {
namespace {

// The result of a run that has ended and had these options, as its directory says it.
std::optional<RunResult> result_of_before(const RunOptions& options) {
  std::error_code error;
  if (options.resume.empty() || !std::filesystem::exists(options.directory / "result.json", error)) return {};
  const RunRecord before = read_run(options.directory);
  if (!before.result || !config_difference(before.config_text, options.config_text, options.default_config_text).empty()) return {};
  // These may differ where a run goes on; one that has ended would then have more to do.
  for (const char* key : {"epochs", "max-steps", "data"})
    if (option_of(before.config_text, key) != option_of(options.config_text, key)) return {};
  return before.result;
}
}  // namespace

ComparisonResult run_comparison(std::span<const PlannedRun> plan, const data::Source& source, engine::Lanes& lanes,
                                const std::function<void(const PlannedRun&)>& announce) {
  for (const PlannedRun& run : plan)
    if (existing_run(run.options) == ExistingRun::refuse) require_no_run(run.options.directory);
  const Interruption interruption;  // also while a run is being prepared
  ComparisonResult result;
  for (std::size_t i = 0; i < plan.size() && result.signal == 0; ++i) {
    const auto& [recipe, seed, options] = plan[i];
    const std::string name = fmt::format("run {} of {}: recipe {}, seed {}", i + 1, plan.size(), recipe, seed);
    ComparedRun compared{.recipe = recipe, .seed = seed, .directory = options.directory.filename().string()};
    if (const auto before = result_of_before(options)) {
      say(fmt::format("{}: had ended after {} steps\n", name, before->steps));
      compared.result = *before;
    } else {
      say(fmt::format("\n{}\n", name));
      announce(plan[i]);
      try {
        compared.result = run_training(options, source, lanes);
      } catch (const NumericalError& error) {
        compared.failure = error.what();
        say(fmt::format("{} failed: {}\n", name, error.what()));
      } catch (const std::exception&) {
        say(fmt::format("{} failed, and the comparison ends\n", name));
        throw;
      }
      result.signal = compared.result.signal;
    }
    if (result.signal == 0) result.runs.push_back(std::move(compared));
    if (result.signal == 0 && i + 1 < plan.size()) result.signal = Interruption::signal();
  }
  return result;
}
}  // namespace autodidact::train
