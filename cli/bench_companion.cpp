#include "cli/bench_companion.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

namespace autodidact::cli {
namespace {
namespace fs = std::filesystem;

struct Companion {
  const char* what;
  const char* built;      // from the folder of a program that was built
  const char* installed;  // from that of one that was installed
  const char* interpreter;
  const char* missing;
};
constexpr Companion kCompanions[] = {
    {"ops", "bench/bench_ops", "../libexec/autodidact/bench_ops", nullptr, "configure with -DAUTODIDACT_BENCH=ON, which needs Google Benchmark, and build bench_ops"},
    {"peers", "../../bench/peers.py", "../share/autodidact/bench/peers.py", "python3", "it belongs beside the program, as `cmake --install` puts it there"},
};

const Companion* find(const std::string& what) {
  for (const Companion& companion : kCompanions)
    if (what == companion.what) return &companion;
  return nullptr;
}

// What main.cpp chose for this program is nothing that PyTorch should be measured with.
void restore_wait_policy() {
  if (std::getenv("AUTODIDACT_STARTED")) {
    unsetenv("GOMP_SPINCOUNT");
    unsetenv("AUTODIDACT_STARTED");
  }
}
}  // namespace

bool is_bench_companion(const std::string& what) { return find(what) != nullptr; }

int run_bench_companion(const std::string& what, const Arguments& arguments) {
  const Companion& companion = *find(what);
  const fs::path program = fs::read_symlink("/proc/self/exe"), folder = program.parent_path();
  std::optional<fs::path> file;
  for (const char* place : {companion.built, companion.installed})
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

  pid_t child = 0;
  if (const int error = posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ))
    throw std::invalid_argument(fmt::format("bench {} cannot start {}: {}", what, words.front(), std::strerror(error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
}  // namespace autodidact::cli
