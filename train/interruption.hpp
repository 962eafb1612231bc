// train/interruption.hpp: SIGINT (Ctrl-C) and SIGTERM (a cluster's time limit) as a question that a run asks between two steps.
//
// The first signal only sets a flag, so that the run can save what it has; a second one ends the process as ever, for those who
// cannot wait for the step.
#pragma once
#include <csignal>

namespace autodidact::train {

// As long as it lives the signals are caught; then they do again what they did before. One at a time in a process.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // The signal that came, or 0.
  static int signal();

 private:
  struct sigaction before_int_ = {}, before_term_ = {};
};
}  // namespace autodidact::train
