// cli/command.hpp: what every subcommand shares: how it is found and parsed, and how it ends.
//
// Each subcommand is one file with one function that declares its options on an App, parses, and runs. A mistake on the
// command line, in a config file or in a value ends with one sentence on stderr and exit code 2; the other codes are those
// of train/errors.hpp. Results go to stdout, everything else to stderr.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace autodidact::cli {

using Arguments = std::vector<std::string>;  // without the program's and the subcommand's name

struct Command {
  std::string name;
  std::string summary;
  int (*run)(const Arguments& arguments);
};
std::span<const Command> commands();

int run_data(const Arguments& arguments);
int run_calibrate(const Arguments& arguments);
int run_predict(const Arguments& arguments);
int run_report(const Arguments& arguments);
int run_train(const Arguments& arguments);
int run_eval(const Arguments& arguments);
int run_init(const Arguments& arguments);
int run_convert(const Arguments& arguments);
int run_export(const Arguments& arguments);
int run_plan(const Arguments& arguments);
int run_info(const Arguments& arguments);
int run_gradcheck(const Arguments& arguments);
int run_trace(const Arguments& arguments);
int run_bench(const Arguments& arguments);

// EX_TEMPFAIL: run me again.
inline constexpr int kSavedAfterSignal = 75;

// The parsed command line has been answered already (help, --dump-config): end with this code.
struct Answered {
  int exit_code;
};

// A CLI::App with --config FILE and --dump-config, and with suggestions for misspelt options.
class App {
 public:
  App(const std::string& command, const std::string& summary);
  CLI::App& operator*() { return app_; }
  CLI::App* operator->() { return &app_; }

  // Throws std::invalid_argument for a usage error, Answered where nothing is left to do.
  void parse(const Arguments& arguments);
  // Called by parse() when all options have their values, before --dump-config and the answer; what it throws is a usage error.
  void after_parsing(std::function<void()> call) { after_parsing_.push_back(std::move(call)); }
  // Options, as far as there are such, whose absence says something that their default does not: config_text() leaves them out unless they
  // were given.
  void dump_if_given(std::initializer_list<const char*> names) { dumped_if_given_.insert(dumped_if_given_.end(), names); }
  // Every option as used, in the form that --config takes; those without a value are left out.
  std::string config_text() const;
  // What config_text() says where nothing is given.
  const std::string& default_config_text() const { return default_config_text_; }

 private:
  std::string suggestion(const Arguments& arguments) const;
  void set_unset_switches_configurable(bool configurable);

  CLI::App app_;
  std::vector<std::function<void()>> after_parsing_;
  std::vector<const char*> dumped_if_given_;
  std::string default_config_text_;
  bool dump_config_ = false;
};

// Throws train::ResourceError if what was printed did not reach stdout, as on a full disk.
void require_printed();

// The known word that is nearest to a misspelt one by edit distance; empty if none is near.
std::string nearest(const std::string& word, std::span<const std::string> known);

// `--json FILE`; "-" is stdout, and then nothing else may go there. Whether FILE can be written is looked at when the command line
// is parsed, not after hours of work: ResourceError.
class JsonOutput {
 public:
  void declare(CLI::App& app);
  bool to_stdout() const { return path_ == "-"; }
  bool wanted() const { return !path_.empty(); }
  void write(const nlohmann::ordered_json& json) const;

 private:
  std::string path_;
};
}  // namespace autodidact::cli
