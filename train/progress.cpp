#include "train/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace autodidact::train {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSecondsMin = 5;
constexpr double kLineSecondsMax = 30;
constexpr std::size_t kBarColumnsMin = 5, kBarColumnsMax = 20, kBarFrame = 4;  // "  []"
constexpr int kDefaultColumns = 80;
constexpr std::size_t kMinLabelColumns = 10;

Progress::Style style_for(std::FILE* out) {
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return ::isatty(::fileno(out)) != 0 && !dumb ? Progress::Style::terminal : Progress::Style::lines;
}

/// Asked again for each line: windows are resized during a long run.
int window_columns(std::FILE* out, int otherwise) {
  winsize size{};
  const bool known = ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : otherwise;
}

std::int64_t steps_done(const ProgressPoint& point) {
  return (point.epoch - 1) * point.steps + point.step;
}

std::int64_t tenth_of_run(const ProgressPoint& point) {
  return 10 * steps_done(point) / std::max<std::int64_t>(1, point.steps);
}

std::string bar(const ProgressPoint& point, int columns) {
  const double share =
      std::clamp(static_cast<double>(point.step) / static_cast<double>(point.steps), 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(share * columns);
  std::string text(static_cast<std::size_t>(columns), ' ');
  std::fill_n(text.begin(), filled, '=');
  if (filled < text.size()) text[filled] = '>';
  return text;
}

std::string percent(double value) {
  return std::isfinite(value) ? fmt::format("{:.2f}", value) : "–";
}

}  // namespace

void say(const std::string& text) { static_cast<void>(std::fputs(text.c_str(), stderr)); }

Progress::Progress(std::FILE* out) : Progress(out, style_for(out), kDefaultColumns) {}

Progress::Progress(std::FILE* out, Style style, int columns)
    : out_(out), style_(style), columns_(columns) {}

void Progress::update(const ProgressPoint& point, double seconds) {
  if (!started_) {
    first_seconds_ = seconds;
    first_done_ = steps_done(point);
  }
  if (started_ && !due(point, seconds)) return;
  started_ = true;
  shown_seconds_ = seconds;
  shown_tenth_ = tenth_of_run(point);

  const double left = seconds_left(point, seconds);
  if (style_ == Style::lines) {
    show(progress_line(point, left, 0) + "\n");
  } else {
    // One column stays free: a cursor past the last one would wrap the line and leave copies of it behind.
    const auto columns = static_cast<std::size_t>(std::max(2, window_columns(out_, columns_))) - 1;
    std::string line = progress_line(point, left, 0);
    if (line.size() + kBarFrame + kBarColumnsMin <= columns) {
      const std::size_t room = columns - line.size() - kBarFrame;
      line = progress_line(point, left, static_cast<int>(std::min(room, kBarColumnsMax)));
    }
    show(fmt::format("\r{}\x1b[K", line.substr(0, columns)));
    drawn_ = true;
  }
}

void Progress::clear() {
  if (drawn_) show("\r\x1b[K");
  drawn_ = false;
}

void Progress::show(const std::string& text) {
  // A reader that went away (a closed pipe, a full disk behind a job log) must not end the training: no check, no throw.
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

bool Progress::due(const ProgressPoint& point, double seconds) const {
  const double since = seconds - shown_seconds_;
  if (style_ == Style::terminal) return since >= kRedrawSeconds || point.step == point.steps;
  return since >= kLineSecondsMax ||
         (since >= kLineSecondsMin && tenth_of_run(point) > shown_tenth_);
}

double Progress::seconds_left(const ProgressPoint& point, double seconds) const {
  const std::int64_t whole = point.epochs * point.steps;
  const std::int64_t total = point.total_steps > 0 ? std::min(point.total_steps, whole) : whole;
  const std::int64_t timed = steps_done(point) - first_done_;
  if (timed <= 0) return kMissing;
  const double left = static_cast<double>(std::max<std::int64_t>(0, total - steps_done(point)));
  return (seconds - first_seconds_) / static_cast<double>(timed) * left;
}

std::string progress_line(const ProgressPoint& point, double seconds_left, int bar_columns) {
  std::string line = fmt::format("epoch {}/{}", point.epoch, point.epochs);
  if (bar_columns > 0 && point.steps > 0) line += fmt::format("  [{}]", bar(point, bar_columns));
  // As wide at the first step as at the last, so that what stands behind it does not jump.
  const std::string steps = fmt::format("{}", point.steps);
  line += fmt::format("  step {:>{}}/{}", point.step, steps.size(), steps);
  if (!std::isnan(point.loss)) line += fmt::format("  loss {:.4f}", point.loss);
  if (std::isfinite(point.lr)) line += fmt::format("  lr {:.4g}", point.lr);
  if (std::isfinite(point.images_per_s)) {
    line += fmt::format("  {:.{}f} images/s", point.images_per_s, point.images_per_s < 100 ? 1 : 0);
  }
  if (std::isfinite(seconds_left)) line += "  ETA " + duration_text(seconds_left);
  return line;
}

std::string duration_text(double seconds) {
  // Beyond a thousand years the digits help nobody, and an integer could overflow.
  const auto total = static_cast<std::int64_t>(std::clamp(std::round(seconds), 0.0, 3e10));
  const std::int64_t minutes = total / 60, hours = total / 3600, days = total / 86400;
  if (days > 0) return fmt::format("{} d {:02} h", days, hours % 24);
  if (hours > 0) return fmt::format("{} h {:02} min", hours, minutes % 60);
  if (minutes > 0) return fmt::format("{} min {:02} s", minutes, total % 60);
  return fmt::format("{} s", total);
}

std::string exit_table(std::string_view title, std::span<const ExitTableRow> rows) {
  std::size_t label_columns = kMinLabelColumns;
  for (const ExitTableRow& row : rows) label_columns = std::max(label_columns, row.label.size());

  const auto line = [&](std::string_view label, const std::array<std::string, kExits>& exits,
                        std::string_view ensemble) {
    std::string text = fmt::format("{:<{}}", label, label_columns);
    for (const std::string& exit : exits) text += fmt::format("{:>8}", exit);
    return text + fmt::format("{:>11}\n", ensemble);
  };
  std::string table = fmt::format("{}\n", title);
  table += line("", {"1/4", "2/4", "3/4", "4/4"}, "ensemble");
  for (const ExitTableRow& row : rows) {
    std::array<std::string, kExits> exits;
    std::transform(row.accuracies.exits.begin(), row.accuracies.exits.end(), exits.begin(),
                   percent);
    table += line(row.label, exits, percent(row.accuracies.ensemble));
  }
  return table;
}

}  // namespace autodidact::train
