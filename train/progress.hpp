// What a person sees of a training run: a line that says how far it is, and after each epoch a table of the exits.
//
//   epoch 3/10  [==========>         ]  step 203/391  loss 1.2345  lr 0.1  812 images/s  ETA 3 min 21 s
//
//   epoch 3/10, accuracy in %
//                  1/4     2/4     3/4     4/4   ensemble
//   train        45.12   50.33   55.10   60.00      61.23
//   validation   44.01   49.87   54.20   58.71      60.15
//
// On a terminal the line is drawn over itself, at most ten times a second and never wider than the window. Into a file
// or a pipe (a cluster's job log) it is written sparsely, as lines of their own: see Progress::Style::lines.
// Time comes in as an argument, so that nothing here depends on a clock.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "train/exit_accuracies.hpp"

namespace autodidact::train {

/// Writes to stderr and does not care whether anybody reads it: what a run says of itself must not be able to end it.
void say(const std::string& text);

struct ProgressPoint {
  int epoch = 1;  ///< the one running, counted from 1
  int epochs = 1;
  std::int64_t step = 0;   ///< steps done in this epoch
  std::int64_t steps = 0;  ///< steps of an epoch
  std::int64_t total_steps = 0;  ///< the most that the run may take (--max-steps); 0: as many as its epochs have
  double loss = kMissing;
  double lr = kMissing;
  double images_per_s = kMissing;
};

class Progress {
 public:
  enum class Style {
    terminal,  ///< one line, drawn again
    lines,  ///< the first point, then each tenth of an epoch, but not within 5 s and at the latest after 30 s
  };

  /// Chooses the style: terminal where `out` is one (and TERM is not "dumb").
  explicit Progress(std::FILE* out = stderr);
  Progress(std::FILE* out, Style style, int columns = 80);

  /// Call after each step; `seconds` since any fixed moment. The estimate of the time left counts all that has passed
  /// since the first call, evaluation too.
  void update(const ProgressPoint& point, double seconds);
  /// Takes the line off the terminal, so that other text can be printed; the next update draws it again.
  void clear();

 private:
  void show(const std::string& text);
  bool due(const ProgressPoint& point, double seconds) const;
  double seconds_left(const ProgressPoint& point, double seconds) const;

  std::FILE* out_;
  Style style_;
  int columns_;
  bool started_ = false;
  bool drawn_ = false;
  double first_seconds_ = 0;
  std::int64_t first_done_ = 0;
  double shown_seconds_ = 0;
  std::int64_t shown_tenth_ = 0;
};

/// The line as above. Without bar where `bar_columns` is 0; without ETA where `seconds_left` is not finite.
std::string progress_line(const ProgressPoint& point, double seconds_left, int bar_columns);

/// "42 s", "3 min 21 s", "5 h 07 min", "2 d 03 h"
std::string duration_text(double seconds);

/// A row of the table: "train", "validation".
struct ExitTableRow {
  std::string label;
  ExitAccuracies accuracies;
};

/// The table as above, in percent with two decimals and "–" for what is missing; ends with a new line.
std::string exit_table(std::string_view title, std::span<const ExitTableRow> rows);

}  // namespace autodidact::train
