// The program: finds the subcommand, runs it, and turns every failure into one sentence and a documented exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "cli/command.hpp"
#include "data/error.hpp"
#include "train/errors.hpp"
#include "data/one_line.hpp"

namespace autodidact::cli {
namespace {

constexpr std::size_t kLongestSentence = 4000;

void print_help(std::FILE* to) {
  fmt::print(to, "autodidact trains self-distilling, multi-exit residual networks on x86 CPUs.\n\n"
                 "usage: autodidact COMMAND [options]     (autodidact COMMAND --help lists them)\n\n");
  for (const Command& command : commands()) fmt::print(to, "  {:<10} {}\n", command.name, command.summary);
  fmt::print(to, "\nexit codes: 0 ok, 2 usage or config, 3 data, 4 checkpoint or model file, 5 numerical, "
                 "6 communication, 7 disk or memory, 75 saved after a signal: run me again\n");
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  const std::string near = nearest(name, names);
  throw std::invalid_argument(fmt::format("unknown command {}{}", name,
                                          near.empty() ? "; see autodidact --help"
                                                       : "; did you mean " + near + "?"));
}

int fail(int code, const char* sentence) {
  // It may quote what a user or a file said. fputs does not throw where stderr is closed.
  std::fputs(fmt::format("autodidact: {}\n", data::one_line(sentence, kLongestSentence)).c_str(), stderr);
  return code;
}

int run(const Arguments& arguments) {
  try {
    if (arguments.empty()) {
      print_help(stderr);
      return 2;
    }
    if (arguments.front() == "--help" || arguments.front() == "-h" || arguments.front() == "help") {
      print_help(stdout);
      require_printed();
      return 0;
    }
    const int code = find_command(arguments.front()).run({arguments.begin() + 1, arguments.end()});
    require_printed();
    return code;
  } catch (const Answered& answered) {
    return answered.exit_code;
  } catch (const data::Interrupted& signal) {
    return fail(kSavedAfterSignal, signal.what());
  } catch (const data::DataError& error) {
    return fail(3, error.what());
  } catch (const train::FileFormatError& error) {
    return fail(4, error.what());
  } catch (const train::NumericalError& error) {
    return fail(5, error.what());
  } catch (const std::bad_alloc&) {
    return fail(7, "out of memory; a smaller --batch or --width needs less");
  } catch (const std::invalid_argument& error) {
    return fail(2, error.what());
  } catch (const std::runtime_error& error) {
    return fail(7, error.what());
  } catch (const std::exception& error) {  // oneDNN's: few words, and most often a size that it cannot take
    return fail(7, fmt::format("{}; a smaller --batch or --width needs less", error.what()).c_str());
  }
}

// libgomp reads its wait policy when it is loaded. Its default lets idle teams spin for long and steal cores from the lanes;
// a short spin bridges the gap between two tasks. Where the lanes have more threads together than there are cores, libgomp cuts it
// to 100 turns, too few: `active` makes that 1,000. On LLVM's and Intel's OpenMP it alone would spin for ever, but for a block
// time. So the program starts itself once more with these set, unless the user chose otherwise. A variable marks the second start, and names them.
void choose_wait_policy(char** argv) {
  if (std::getenv("AUTODIDACT_STARTED") || std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT"))
    return;
  std::string chosen;
  for (const auto& [name, value] : {std::pair{"GOMP_SPINCOUNT", "20000"}, {"OMP_WAIT_POLICY", "active"}, {"KMP_BLOCKTIME", "1"}}) {
    if (std::getenv(name)) continue;
    setenv(name, value, 1);
    chosen += fmt::format("{} ", name);
  }
  setenv("AUTODIDACT_STARTED", chosen.c_str(), 1);
  std::error_code error;  // by its own path, so that ps and perf show the program's name
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(program.c_str(), argv);  // on failure simply go on as we are
}
}  // namespace
}  // namespace autodidact::cli

int main(int argc, char** argv) {
  autodidact::cli::choose_wait_policy(argv);
  return autodidact::cli::run({argv + 1, argv + argc});
}
