#include "cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <numeric>
#include <sstream>
#include <system_error>

#include "train/atomic_file.hpp"
#include "train/errors.hpp"
#include "data/one_line.hpp"

namespace autodidact::cli {
namespace {

// CLI11's reader, but: it takes a # inside quotes for a comment, it reads files without an end, and memory grows with the square of a
// section's depth. No command has sections.
class TomlReader : public CLI::ConfigTOML {
 public:
  TomlReader() { comment('\0'); }
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::istringstream lines(whole(input));
    std::stringstream without_comments;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      line = CLI::detail::trim_copy(line.substr(0, comment_begin(line)));
      if (line.starts_with('[') && line.ends_with(']'))
        throw CLI::ConfigError(fmt::format("line {} of the config file begins a section, and options have none", number));
      without_comments << line << '\n';
    }
    return CLI::ConfigTOML::from_config(without_comments);
  }

 private:
  static std::string whole(std::istream& input) {
    constexpr std::size_t kMostBytes = 1 << 20;
    std::string text(kMostBytes + 1, '\0');
    input.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(input.gcount()));
    if (text.size() > kMostBytes) throw CLI::ConfigError(fmt::format("the config file has more than {} bytes", kMostBytes));
    return text;
  }
  static std::size_t comment_begin(const std::string& line) {
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (quote ? line[i] == quote : line[i] == '"' || line[i] == '\'') quote = quote ? 0 : line[i];
      else if (!quote && line[i] == '#') return i;
    }
    return std::string::npos;
  }
};

// CLI11's words, but where they would not be understood.
std::string sentence_of(const CLI::ParseError& error) {
  const std::string text = data::one_line(error.what());  // it quotes files
  const std::size_t twice = text.find(": At Most 1 required but received");
  return twice == std::string::npos ? text : text.substr(0, twice) + " is given more than once";
}

// For CLI11's check(): CLI11 alone reads 012 as ten, -1 as the largest number of an unsigned type, and what lies beyond a type as its
// limit.
template <class T>
std::string whole_number(const std::string& text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view digits = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0';
  if (error == std::errc() && end == text.data() + text.size() && !leading_zero) return "";
  return fmt::format("must be a whole number from {} to {} without leading zeros, got {}", std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                     text);
}

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
  static const std::array<Command, 14> all{{
      {"train", "train a multi-exit network and write its run directory", run_train},
      {"eval", "accuracy of every exit and of the ensemble", run_eval},
      {"predict", "the classes of image files", run_predict},
      {"calibrate", "choose at which exits images may leave, by times measured here", run_calibrate},
      {"init", "write freshly initialised weights", run_init},
      {"convert", "weights with the names that a PyTorch module expects", run_convert},
      {"export", "a network as an ONNX file, or as a folder for a hub of models", run_export},
      {"plan", "print the compiled program, one line a task", run_plan},
      {"gradcheck", "prove the derivatives of ops and of the network", run_gradcheck},
      {"trace", "one training step with every value and gradient written to a file", run_trace},
      {"bench", "time the training step, and what it could be at best", run_bench},
      {"data", "statistics of a data set, a contact sheet of its augmentation, one operation on one image", run_data},
      {"report", "one HTML page about one or several runs", run_report},
      {"info", "this machine, its libraries, and the memory a model needs", run_info},
  }};
  return all;
}

void require_printed() {
  errno = 0;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
  throw train::ResourceError(fmt::format("cannot write to standard output{}{}", errno ? ": " : "",
                                         errno ? std::generic_category().message(errno) : ""));
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
  app_.config_formatter(std::make_shared<TomlReader>());
  app_.option_defaults()->always_capture_default();
  app_.allow_config_extras(CLI::config_extras_mode::error);
}

std::string App::suggestion(const Arguments& arguments) const {
  std::vector<std::string> known;
  for (const CLI::Option* option : app_.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const std::string& argument : arguments) {
    const bool is_short = argument.size() > 1 && argument[0] == '-' && std::isalpha(static_cast<unsigned char>(argument[1]));
    if (is_short && !app_.get_option_no_throw(argument.substr(0, 2))) return fmt::format("unknown option {}", argument);
    if (!argument.starts_with("--")) continue;
    const std::string name = argument.substr(0, argument.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest(name, known);
    return fmt::format("unknown option {}{}", name, near.empty() ? "" : "; did you mean " + near + "?");
  }
  return {};
}

// CLI11 would write a switch that has two names (--t2, --no-t2) and was not given as false, and so as given.
void App::set_unset_switches_configurable(bool configurable) {
  for (CLI::Option* option : app_.get_options())
    if (option->count() == 0 && !option->get_fnames().empty()) option->configurable(configurable);
}

std::string App::config_text() const {
  std::istringstream lines(app_.config_to_str(true, false));
  std::string text;
  for (std::string line; std::getline(lines, line);)
    if (!line.ends_with("=\"\"")) text += line + "\n";
  return text;
}

void App::parse(const Arguments& arguments) {
  set_unset_switches_configurable(false);
  default_config_text_ = config_text();
  set_unset_switches_configurable(true);
  for (CLI::Option* option : app_.get_options()) {
    if (option->get_type_name().starts_with("INT")) option->check(whole_number<std::int64_t>);
    if (option->get_type_name().starts_with("UINT")) option->check(whole_number<std::uint64_t>);
  }
  try {
    Arguments reversed(arguments.rbegin(), arguments.rend());
    app_.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_.help().c_str(), stdout);
    require_printed();
    throw Answered{0};
  } catch (const CLI::ParseError& error) {
    const std::string unknown = suggestion(arguments);
    throw std::invalid_argument(fmt::format("{}; see {} --help", unknown.empty() ? sentence_of(error) : unknown,
                                            app_.get_name()));
  }
  for (const auto& call : after_parsing_) call();
  set_unset_switches_configurable(false);
  for (const char* name : dumped_if_given_)
    if (CLI::Option* option = app_.get_option_no_throw(name); option && option->count() == 0) option->configurable(false);
  if (!dump_config_) return;
  std::fputs(config_text().c_str(), stdout);
  require_printed();
  throw Answered{0};
}

void JsonOutput::declare(CLI::App& app) {
  app.add_option("--json", path_, "also write the result as JSON to FILE, - for stdout");
  app.final_callback([this] {
    if (!path_.empty() && !to_stdout()) train::require_replaceable(path_);
  });
}

void JsonOutput::write(const nlohmann::ordered_json& json) const {
  if (path_.empty()) return;
  const std::string text = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (to_stdout()) std::fputs(text.c_str(), stdout);
  else train::write_file_atomically(path_, text);
}
}  // namespace autodidact::cli
