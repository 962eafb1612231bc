#include "train/interruption.hpp"

#include <atomic>

namespace autodidact::train {
namespace {
constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};

std::atomic<int> caught = 0;  // without a lock, so a handler may write it
static_assert(std::atomic<int>::is_always_lock_free);
int alive = 0;

void remember(int number) {
  if (caught != 0) {  // the second one meets the default, as soon as this handler has returned
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    ::sigaction(number, &fatal, nullptr);
    ::raise(number);
  }
  caught = number;
}

// A signal that was ignored when we were started (nohup, a shell's background job) stays ignored.
void install(int number, struct sigaction& before) {
  ::sigaction(number, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction ours = {};
  ours.sa_handler = remember;
  ours.sa_flags = SA_RESTART;
  ::sigemptyset(&ours.sa_mask);
  ::sigaction(number, &ours, nullptr);
}
}  // namespace

Interruption::Interruption() {
  if (alive++ > 0) return;
  caught = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) install(kSignals[i], before_[i]);
}

Interruption::~Interruption() {
  if (--alive > 0) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

int Interruption::signal() { return caught; }
}  // namespace autodidact::train
