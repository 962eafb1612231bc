#include "cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <sstream>

#include "train/atomic_file.hpp"

namespace autodidact::cli {
namespace {

// Levenshtein's distance.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}
}  // namespace

std::span<const Command> commands() {
  static const std::array<Command, 8> all{{
      {"train", "train a multi-exit network and write its run directory", run_train},
      {"eval", "accuracy of every exit and of the ensemble", run_eval},
      {"init", "write freshly initialised weights", run_init},
      {"plan", "print the compiled program, one line a task", run_plan},
      {"gradcheck", "prove the derivatives of ops and of the network", run_gradcheck},
      {"trace", "one training step with every value and gradient written to a file", run_trace},
      {"data", "statistics of a data set, a contact sheet of its augmentation, one operation on one image", run_data},
      {"info", "this machine, its libraries, and the memory a model needs", run_info},
  }};
  return all;
}

std::string nearest(const std::string& word, std::span<const std::string> known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

App::App(const std::string& command, const std::string& summary)
    : app_(summary, "autodidact " + command) {
  app_.set_config("--config", "", "read options from a TOML file; options given beside it win");
  app_.add_flag("--dump-config", dump_config_, "print every option as used, as --config takes it, and stop")
      ->configurable(false);
  app_.option_defaults()->always_capture_default();
  app_.allow_config_extras(CLI::config_extras_mode::error);
}

std::string App::suggestion(const Arguments& arguments) const {
  std::vector<std::string> known;
  for (const CLI::Option* option : app_.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const std::string& argument : arguments) {
    if (!argument.starts_with("--")) continue;
    const std::string name = argument.substr(0, argument.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest(name, known);
    return fmt::format("unknown option {}{}", name, near.empty() ? "" : "; did you mean " + near + "?");
  }
  return {};
}

std::string App::config_text() const {
  std::istringstream lines(app_.config_to_str(true, false));
  std::string text;
  for (std::string line; std::getline(lines, line);)
    if (!line.ends_with("=\"\"")) text += line + "\n";
  return text;
}

void App::parse(const Arguments& arguments) {
  try {
    Arguments reversed(arguments.rbegin(), arguments.rend());
    app_.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_.help().c_str(), stdout);
    throw Answered{0};
  } catch (const CLI::ParseError& error) {
    const std::string unknown = suggestion(arguments);
    throw std::invalid_argument(fmt::format("{}; see {} --help", unknown.empty() ? error.what() : unknown,
                                            app_.get_name()));
  }
  if (!dump_config_) return;
  std::fputs(config_text().c_str(), stdout);
  throw Answered{0};
}

void JsonOutput::declare(CLI::App& app) {
  app.add_option("--json", path_, "also write the result as JSON to FILE, - for stdout")->configurable(false);
}

void JsonOutput::write(const nlohmann::ordered_json& json) const {
  if (path_.empty()) return;
  const std::string text = json.dump(2) + "\n";
  if (to_stdout()) std::fputs(text.c_str(), stdout);
  else train::write_file_atomically(path_, text);
}
}  // namespace autodidact::cli
