// The one translation unit that holds doctest, and main.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace {

// Idle OpenMP teams spin by default, and on a busy machine two of them then wait for each other's time slices: tests took twenty
// times as long. libgomp reads the policy when it is loaded, so the tests start once more with it (as the program does).
void wait_without_spinning(char** argv) {
  constexpr const char* kMark = "AUTODIDACT_TESTS_WAIT_POLICY";
  if (std::getenv(kMark)) {  // the programs that tests start choose for themselves
    unsetenv("OMP_WAIT_POLICY");
    unsetenv(kMark);
    return;
  }
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv(kMark, "1", 1);
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);  // on failure simply go on as we are
}
}  // namespace

int main(int argc, char** argv) {
  // Tests send these to programs that they start; a job in a script's background would hand them down as ignored.
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) std::signal(number, SIG_DFL);
  wait_without_spinning(argv);
  return doctest::Context(argc, argv).run();
}
