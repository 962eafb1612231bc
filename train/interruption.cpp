#include "train/interruption.hpp"

namespace autodidact::train {
namespace {
volatile std::sig_atomic_t caught = 0;

void remember(int number) { caught = number; }

// A signal that was ignored when we were started (nohup, a shell's background job) stays ignored.
void install(int number, struct sigaction& before) {
  ::sigaction(number, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction ours = {};
  ours.sa_handler = remember;
  ours.sa_flags =
      SA_RESTART | static_cast<int>(SA_RESETHAND);  // the second signal meets the default
  ::sigemptyset(&ours.sa_mask);
  ::sigaction(number, &ours, nullptr);
}
}  // namespace

Interruption::Interruption() {
  caught = 0;
  install(SIGINT, before_int_);
  install(SIGTERM, before_term_);
}

Interruption::~Interruption() {
  ::sigaction(SIGINT, &before_int_, nullptr);
  ::sigaction(SIGTERM, &before_term_, nullptr);
}

int Interruption::signal() { return caught; }
}  // namespace autodidact::train
