#include "train/progress.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

using namespace autodidact::train;

namespace {

/// What a Progress wrote.
class Screen {
 public:
  Screen() : file_(::open_memstream(&text_, &size_)) {}
  ~Screen() {
    std::fclose(file_);
    std::free(text_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

ProgressPoint point_at(int epoch, std::int64_t step) {
  return {.epoch = epoch,
          .epochs = 10,
          .step = step,
          .steps = 400,
          .loss = 1.23456,
          .lr = 0.1,
          .images_per_s = 812.3};
}

std::ptrdiff_t lines_in(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace

TEST_CASE("a progress line shows epoch, step, loss, rate, speed and the time left") {
  CHECK(progress_line(point_at(3, 200), 201, 0) ==
        "epoch 3/10  step 200/400  loss 1.2346  lr 0.1  812 images/s  ETA 3 min 21 s");
  CHECK(progress_line(point_at(3, 200), 201, 10) ==
        "epoch 3/10  [=====>    ]  step 200/400  loss 1.2346  lr 0.1  812 images/s  "
        "ETA 3 min 21 s");
}

TEST_CASE("a progress line leaves out what is not known, and shows a loss that is infinite") {
  ProgressPoint point{.epoch = 1, .epochs = 1, .step = 4, .steps = 16};
  CHECK(progress_line(point, kMissing, 0) == "epoch 1/1  step  4/16");
  point.loss = std::numeric_limits<double>::infinity();
  CHECK(progress_line(point, kMissing, 0) == "epoch 1/1  step  4/16  loss inf");
}

TEST_CASE("durations are shown in two units at most") {
  CHECK(duration_text(-3) == "0 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(59.6) == "1 min 00 s");
  CHECK(duration_text(3600 * 5 + 60 * 7 + 59) == "5 h 07 min");
  CHECK(duration_text(86400 * 2 + 3600 * 3) == "2 d 03 h");
  CHECK(duration_text(1e300).ends_with(" h"));
}

TEST_CASE("outside a terminal lines are sparse: tenths of an epoch, not closer than five seconds") {
  Screen screen;
  Progress progress(screen.file(), Progress::Style::lines);
  for (std::int64_t step = 1; step <= 400; ++step) {
    progress.update(point_at(1, step), static_cast<double>(step) * 0.5);
  }
  // 200 s: the first step, then steps 40, 80, … 400.
  CHECK(lines_in(screen.text()) == 11);
  CHECK(screen.text().find('\r') == std::string::npos);

  for (int epoch = 2; epoch <= 10; ++epoch) {  // epochs of one second each
    for (std::int64_t step = 1; step <= 400; ++step) {
      progress.update(point_at(epoch, step), 200 + (epoch - 2) + static_cast<double>(step) / 400);
    }
  }
  CHECK(lines_in(screen.text()) == 12);
}

TEST_CASE("outside a terminal a slow epoch still gives a line every thirty seconds") {
  Screen screen;
  Progress progress(screen.file(), Progress::Style::lines);
  for (std::int64_t step = 1; step <= 31; ++step) {
    progress.update(point_at(1, step), static_cast<double>(step) * 3);
  }
  CHECK(lines_in(screen.text()) == 4);  // at 3, 33, 63 and 93 s
}

TEST_CASE("on a terminal the line is drawn over itself ten times a second and can be taken off") {
  Screen screen;
  Progress progress(screen.file(), Progress::Style::terminal, 120);
  progress.clear();
  CHECK(screen.text().empty());
  for (std::int64_t step = 1; step <= 100; ++step) {
    progress.update(point_at(1, step), static_cast<double>(step) * 0.01);
  }
  const std::string text = screen.text();
  const auto drawn = std::count(text.begin(), text.end(), '\r');
  CHECK(drawn >= 9);
  CHECK(drawn <= 11);
  CHECK(lines_in(text) == 0);
  progress.clear();
  CHECK(screen.text().ends_with("\r\x1b[K"));
}

TEST_CASE("a line on a terminal is never as wide as the window, and the bar takes what is left") {
  for (const int columns : {1, 20, 40, 75, 90, 100, 200}) {
    Screen screen;
    Progress progress(screen.file(), Progress::Style::terminal, columns);
    progress.update(point_at(1, 1), 0);
    progress.update(point_at(1, 200), 60);
    const std::string text = screen.text();
    const std::size_t begin = text.rfind('\r') + 1;
    const std::size_t width = text.size() - std::string("\x1b[K").size() - begin;
    CHECK(width < static_cast<std::size_t>(std::max(2, columns)));
    CHECK((text.find('[', text.rfind('\r')) < text.rfind('\x1b')) == (columns >= 90));
  }
}

TEST_CASE("the time left counts from the first step seen, so that a resumed run is right") {
  Screen screen;
  Progress progress(screen.file(), Progress::Style::lines);
  progress.update(point_at(6, 0), 1000);
  progress.update(point_at(6, 100), 1100);  // a second a step; 300 + 4 · 400 are left
  CHECK(screen.text().ends_with("ETA 31 min 40 s\n"));
  ProgressPoint last = point_at(6, 200);
  last.total_steps = 5 * 400 + 210;
  progress.update(last, 1200);
  CHECK(screen.text().ends_with("ETA 10 s\n"));
  last.step = 300;
  last.total_steps = 100000;  // more than all epochs have
  progress.update(last, 1300);
  CHECK(screen.text().ends_with("ETA 28 min 20 s\n"));
}

TEST_CASE("the table of exits has two decimals and a dash for what is missing") {
  const std::vector<ExitTableRow> rows{
      {"train", {{45.123, 50.335, 100, 0}, 61.228}},
      {"validation", {{kMissing, kMissing, kMissing, 58.7}, kMissing}}};
  CHECK(exit_table("epoch 3/10, accuracy in %", rows) ==
        "epoch 3/10, accuracy in %\n"
        "               1/4     2/4     3/4     4/4   ensemble\n"
        "train        45.12   50.34  100.00    0.00      61.23\n"
        "validation       –       –       –   58.70          –\n");
}
