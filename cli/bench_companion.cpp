#include "cli/bench_companion.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

namespace autodidact::cli {
namespace {
namespace fs = std::filesystem;

struct Companion {
  const char* what;
  const char* installed;  // from the folder of a program that was installed
  const char* built;      // from that of one that was built
  const char* interpreter;
  const char* missing;
};
constexpr Companion kCompanions[] = {
    {"ops", "../" AUTODIDACT_LIBEXECDIR "/autodidact/bench_ops", "bench/bench_ops", nullptr,
     "configure with -DAUTODIDACT_BENCH=ON, which needs Google Benchmark, and build bench_ops"},
    {"peers", "../" AUTODIDACT_DATADIR "/autodidact/bench/peers.py", AUTODIDACT_SOURCE_DIR "/bench/peers.py", "python3",
     "it belongs beside the program, as `cmake --install` puts it there"},
};

const Companion* find(const std::string& what) {
  for (const Companion& companion : kCompanions)
    if (what == companion.what) return &companion;
  return nullptr;
}

// What main.cpp chose for this program is nothing that PyTorch should be measured with.
void restore_wait_policy() {
  const char* const chosen = std::getenv("AUTODIDACT_STARTED");
  if (!chosen) return;
  std::istringstream names(chosen);
  for (std::string name; names >> name;) unsetenv(name.c_str());
  unsetenv("AUTODIDACT_STARTED");
}
}  // namespace

bool is_bench_companion(const std::string& what) { return find(what) != nullptr; }

void run_bench_companion(const std::string& what, const Arguments& arguments) {
  const Companion& companion = *find(what);
  const fs::path program = fs::read_symlink("/proc/self/exe"), folder = program.parent_path();
  std::optional<fs::path> file;
  for (const char* place : {companion.installed, companion.built})
    if (!file && fs::exists(folder / place)) file = (folder / place).lexically_normal();
  if (!file) throw std::invalid_argument(fmt::format("bench {} is not here: {}", what, companion.missing));

  Arguments words;
  if (companion.interpreter) words.push_back(companion.interpreter);
  words.push_back(file->string());
  if (what == "peers") {
    restore_wait_policy();
    words.insert(words.end(), {"--program", program.string()});
  }
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  execvp(argv[0], argv.data());
  throw std::invalid_argument(fmt::format("bench {} cannot start {}: {}", what, words.front(), std::strerror(errno)));
}
}  // namespace autodidact::cli
