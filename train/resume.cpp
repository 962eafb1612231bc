#include "train/resume.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "data/fingerprint.hpp"
#include "train/errors.hpp"
#include "train/machine.hpp"
#include "train/plan_cache.hpp"
#include "train/progress.hpp"

namespace autodidact::train {
namespace fs = std::filesystem;
namespace {

// epochs and data are looked at more closely: by the schedule, and by what is in the data.
const std::set<std::string, std::less<>> kMayDiffer{"out",  "overwrite", "resume",     "save-every", "keep",     "max-steps", "epochs",
                                                    "data", "threads",   "plan-cache", "json",       "init-from",
                                                    "workers"};

std::map<std::string, std::string> parse(const std::string& config) {
  std::map<std::string, std::string> options;
  std::istringstream lines(config);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t equals = line.find('='); equals != std::string::npos && !line.starts_with('#'))
      options[line.substr(0, equals)] = line.substr(equals + 1);
  return options;
}

// "0.1" and "1e-1" are the same.
bool same(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  return a == b || (number(a) && number(a) == number(b));
}

std::string value_text(const std::map<std::string, std::string>& options, const std::string& name) {
  const auto found = options.find(name);
  return found == options.end() ? "not given" : found->second;
}

void require_same_run(const RunOptions& options, const data::Source& source, const Checkpoint& checkpoint) {
  const RunState& state = checkpoint.state;
  const std::string name = checkpoint.file.path.string();
  if (const std::string difference = config_difference(state.config, options.config_text, options.default_config_text); !difference.empty())
    throw std::invalid_argument(fmt::format("{} cannot be continued: {}", name, difference));
  if (const std::string data = data::fingerprint(*source.train); data != state.data)
    throw std::invalid_argument(fmt::format("{} cannot be continued: --data holds {}, it was {}", name, data, state.data));
  const std::string before = value_text(parse(state.config), "epochs"), now = value_text(parse(options.config_text), "epochs");
  if (!same(before, now) && (options.schedule.kind != optim::ScheduleKind::constant || options.epochs < state.epoch))
    throw std::invalid_argument(fmt::format("{} cannot be continued: --epochs is {}, it was {}; only a run with --schedule constant may "
                                            "be given other epochs, and no fewer than the {} it has done", name, now, before, state.epoch));
}

std::optional<Checkpoint> newest(const CheckpointStore& store) {
  const auto entries = store.entries();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    try {
      return read_checkpoint(entry->path);
    } catch (const FileFormatError& error) {
      say(fmt::format("{}; passed over\n", error.what()));
    }
  }
  if (!entries.empty())
    throw FileFormatError(fmt::format("none of the {} checkpoints in {} can be read; --overwrite instead of --resume starts anew",
                                      entries.size(), store.folder().string()));
  return {};
}
}  // namespace

ExistingRun existing_run(const RunOptions& options) {
  if (options.resume.empty()) return options.existing;
  if (options.existing == ExistingRun::overwrite) throw std::invalid_argument("--resume and --overwrite exclude each other");
  std::error_code error;
  const fs::path folder = fs::path(options.resume).parent_path();
  const bool own = options.resume == "auto" || fs::equivalent(folder.empty() ? "." : folder, options.directory / "checkpoints", error);
  return own ? ExistingRun::resume : ExistingRun::refuse;
}

std::optional<Checkpoint> checkpoint_to_resume(const RunOptions& options, const data::Source& source, const CheckpointStore& store) {
  if (options.resume.empty()) return {};
  std::optional<Checkpoint> checkpoint = options.resume == "auto" ? newest(store) : read_checkpoint(options.resume);
  if (checkpoint) require_same_run(options, source, *checkpoint);
  return checkpoint;
}

std::string machine_and_threads(const engine::Lanes& lanes) {
  return fmt::format("{}, {} threads", machine_text(), lanes.layout().wide);
}

std::string option_of(const std::string& config, const std::string& name) { return value_text(parse(config), name); }

std::string config_difference(const std::string& before, const std::string& now, const std::string& defaults) {
  auto then = parse(before), here = parse(now);
  const auto by_default = parse(defaults);
  then.insert(by_default.begin(), by_default.end());
  here.insert(by_default.begin(), by_default.end());
  std::set<std::string> names;
  for (const auto& [name, value] : then) names.insert(name);
  for (const auto& [name, value] : here) names.insert(name);
  for (const std::string& name : names) {
    if (kMayDiffer.contains(name)) continue;
    const std::string a = value_text(then, name), b = value_text(here, name);
    if (!same(a, b)) return fmt::format("--{} is {}, it was {}", name, b, a);
  }
  return {};
}
}  // namespace autodidact::train
