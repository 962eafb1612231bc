// train/interruption.hpp: SIGINT (Ctrl-C), SIGTERM (a cluster's time limit) and SIGUSR1 (its warning before that) as a question that a
// run asks between two steps.
//
// The first signal only sets a flag, so that the run can save what it has; a second one, whichever of the three, ends the process as
// ever, for those who cannot wait for the step.
#pragma once
#include <array>
#include <csignal>

namespace autodidact::train {

// As long as it lives the signals are caught; then they do again what they did before. One inside another changes nothing: a signal
// that came is everybody's. Of one thread.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // The signal that came, or 0. Any thread may ask.
  static int signal();

 private:
  std::array<struct sigaction, 3> before_ = {};
};
}  // namespace autodidact::train
