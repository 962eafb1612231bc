// A fuzz run without libFuzzer: gives a target every file of its corpus, then inputs that are made from them by random changes, the
// same ones every time. Linked with a target in its place by CMakeLists.txt.
//
// usage: fuzz_TARGET CORPUS MUTATIONS
//
// Ends with 0 and one line on stdout if nothing was found. The input that a process died of is left in fuzz_TARGET.crash beside the
// program: put into the corpus under a name that says what it shows, it is tried for ever.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/mutate.hpp"

// The sanitizer's: what to call before it ends the process.
extern "C" void __sanitizer_set_death_callback(void (*callback)());

namespace {
namespace fs = std::filesystem;
using autodidact::fuzz::Input;

constexpr time_t kMostSeconds = 20;  // of processor time: an input that takes more hangs
constexpr std::size_t kLongest = 1 << 16;

const Input* running = nullptr;
std::string crash_file;

// Plain system calls: the heap may be damaged.
void keep_input() {
  if (running == nullptr) return;
  const int file = ::open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const bool kept = file >= 0 && ::write(file, running->data(), running->size()) == static_cast<ssize_t>(running->size());
  const std::string_view words = kept ? "fuzz: the input is in " : "fuzz: the input could not be kept in ";
  (void)!::write(STDERR_FILENO, words.data(), words.size());
  (void)!::write(STDERR_FILENO, crash_file.data(), crash_file.size());
  (void)!::write(STDERR_FILENO, "\n", 1);
  running = nullptr;
}

void on_signal(int signal) {
  constexpr std::string_view kHangs = "fuzz: an input takes too long\n";
  if (signal == SIGPROF) (void)!::write(STDERR_FILENO, kHangs.data(), kHangs.size());
  keep_input();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Input& input) {
  running = &input;
  const itimerval limit{.it_interval = {}, .it_value = {.tv_sec = kMostSeconds, .tv_usec = 0}}, none{};
  ::setitimer(ITIMER_PROF, &limit, nullptr);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  ::setitimer(ITIMER_PROF, &none, nullptr);
  running = nullptr;
}

std::vector<Input> read_corpus(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());  // the same changes on every machine
  std::vector<Input> corpus;
  for (const fs::path& path : paths) {
    std::ifstream stream(path, std::ios::binary);
    corpus.push_back({std::istreambuf_iterator<char>(stream), {}});
  }
  return corpus;
}
}  // namespace

// Memory that an attacker's few bytes ask for is a finding too.
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=2048:hard_rss_limit_mb=2048:detect_leaks=1"; }

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} CORPUS MUTATIONS\n", argv[0]);
    return 2;
  }
  crash_file = fmt::format("{}.crash", argv[0]);
  __sanitizer_set_death_callback(keep_input);
  for (const int signal : {SIGABRT, SIGPROF}) std::signal(signal, on_signal);

  const std::vector<Input> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    fmt::print(stderr, "fuzz: {} has no files\n", argv[1]);
    return 1;
  }
  run({});
  for (const Input& input : corpus) run(input);
  autodidact::fuzz::Mutator mutator(corpus, kLongest);
  const long mutations = std::atol(argv[2]);
  for (long i = 0; i < mutations; ++i) run(mutator.next());
  fmt::print(stderr, "{} files, {} inputs made from them, nothing found\n", corpus.size(), mutations);
  return 0;
}
