#include "train/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "train/chart_axis.hpp"
#include "train/chart_colors.hpp"
#include "train/markup.hpp"

namespace autodidact::train {
namespace {

constexpr int kMinWidth = 320, kMinHeight = 200;
constexpr double kMarginLeft = 68, kMarginTop = 60, kMarginBottom = 58, kMarginRight = 20;
constexpr double kLegendRow = 24, kLegendSwatch = 26, kLegendGap = 18;
constexpr double kCharacterWidth = 7.2;  // of sans-serif at the legend's size, on the wide side
constexpr std::size_t kLegendNameMax = 24;
constexpr std::size_t kMarkersUpTo = 40;  // more points than these and the markers hide the line
constexpr double kPixelsPerTickX = 70, kPixelsPerTickY = 48;
constexpr double kLargestValue = 1e100;  // beyond it differences could overflow; treated as missing
/// Series beyond the palette take its colours again, with a line that is broken.
constexpr std::array<std::string_view, 3> kDashes{"", "7 4", "2 4"};

bool is_drawn(const ChartPoint& point) {
  return std::abs(point.x) < kLargestValue && std::abs(point.y) < kLargestValue;
}

/// Cut to the legend's width, between characters of UTF-8.
std::string shortened(const std::string& name) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(name[i]) & 0xC0) != 0x80;
    if (begins && ++characters > kLegendNameMax) return name.substr(0, i) + "…";
  }
  return name;
}

/// Draws one chart into one string.
class Drawing {
 public:
  explicit Drawing(const LineChart& chart) : chart_(chart) {
    for (std::size_t i = 0; i < chart.series.size(); ++i) {
      const ChartSeries& series = chart.series[i];
      if (std::none_of(series.points.begin(), series.points.end(), is_drawn)) continue;
      const std::string color =
          series.color.empty() ? std::string(kPalette[i % kPalette.size()]) : series.color;
      const std::string_view dash = kDashes[i / kPalette.size() % kDashes.size()];
      const std::string dashes = dash.empty() ? "" : fmt::format(R"( stroke-dasharray="{}")", dash);
      lines_.push_back({&series, color, dashes, last_value(series)});
    }
    lay_out();
  }

  std::string draw() {
    put(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" )"
        R"(role="img" aria-label="{2}" font-family="sans-serif" font-size="13" fill="{3}">)",
        chart_.width, chart_.height, escaped(chart_.title), kInk);
    put("<title>{}</title>", escaped(chart_.title));
    put(R"(<rect width="{}" height="{}" fill="{}"/>)", chart_.width, chart_.height, kPaper);
    put(R"(<text x="{}" y="32" font-size="17" font-weight="600">{}</text>)", left_,
        escaped(chart_.title));
    draw_axes();
    for (const Line& line : lines_) draw_line(line);
    draw_legend();
    if (lines_.empty()) {
      put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">no data</text>)",
          (left_ + right_) / 2, (top_ + bottom_) / 2, kInkSoft);
    }
    return out_ + "</svg>\n";
  }

 private:
  struct Line {
    const ChartSeries* series;
    std::string color;
    std::string dashes;  // an attribute, or nothing
    std::string last_value;
  };

  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  static std::string last_value(const ChartSeries& series) {
    const auto last = std::find_if(series.points.rbegin(), series.points.rend(), is_drawn);
    return fmt::format("{:.4g}", last->y);
  }

  void lay_out() {
    double widest = 0;
    for (const Line& line : lines_) {
      const std::size_t characters =
          std::min(line.series->name.size(), kLegendNameMax) + 2 + line.last_value.size();
      widest = std::max(widest, static_cast<double>(characters) * kCharacterWidth);
    }
    const double legend =
        lines_.empty() || !chart_.legend ? 0 : std::min(kLegendGap + kLegendSwatch + 8 + widest, 0.45 * chart_.width);
    left_ = kMarginLeft;
    top_ = kMarginTop;
    right_ = chart_.width - kMarginRight - legend;
    bottom_ = chart_.height - kMarginBottom;

    std::vector<double> x, y;
    for (const Line& line : lines_) {
      for (const ChartPoint& point : line.series->points) {
        if (!is_drawn(point)) continue;
        x.push_back(point.x);
        y.push_back(point.y);
      }
    }
    const bool whole = std::all_of(x.begin(), x.end(), [](double v) { return v == std::floor(v); });
    x_ = range_of(x);
    x_ticks_ = nice_ticks(x_, static_cast<int>((right_ - left_) / kPixelsPerTickX), whole ? 1 : 0);
    const int count_y = static_cast<int>((bottom_ - top_) / kPixelsPerTickY);
    y_ = rounded_outwards(range_of(y), count_y);
    y_ticks_ = nice_ticks(y_, count_y);
  }

  double pixel_x(double x) const {
    return left_ + (x - x_.low) / (x_.high - x_.low) * (right_ - left_);
  }
  double pixel_y(double y) const {
    return bottom_ - (y - y_.low) / (y_.high - y_.low) * (bottom_ - top_);
  }

  void draw_axes() {
    for (const double tick : y_ticks_) {
      const double y = pixel_y(tick);
      put(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)", left_, y,
          right_, y, kGrid);
      put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end" font-size="12" fill="{}">{:.10g}</text>)",
          left_ - 9, y + 4, kInkSoft, tick);
    }
    put(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)", left_, bottom_,
        right_, bottom_, kAxis);
    for (const double tick : x_ticks_) {
      const double x = pixel_x(tick);
      put(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)", x, bottom_, x,
          bottom_ + 5, kAxis);
      put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" font-size="12" fill="{}">{:.10g}</text>)",
          x, bottom_ + 20, kInkSoft, tick);
    }
    put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">{}</text>)",
        (left_ + right_) / 2, bottom_ + 43, kInkSoft, escaped(chart_.x_label));
    put(R"svg(<text transform="translate(20 {:.1f}) rotate(-90)" text-anchor="middle" fill="{}">{}</text>)svg",
        (top_ + bottom_) / 2, kInkSoft, escaped(chart_.y_label));
  }

  void draw_line(const Line& line) {
    const bool has_markers = line.series->points.size() <= kMarkersUpTo;
    std::string path;
    bool pen_down = false;
    for (const ChartPoint& point : line.series->points) {
      if (is_drawn(point)) {
        path += fmt::format("{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', pixel_x(point.x),
                            pixel_y(point.y));
      }
      pen_down = is_drawn(point);
    }
    put(R"(<g stroke="{}"><title>{}</title>)", line.color, escaped(line.series->name));
    put(R"(<path d="{}" fill="none" stroke-width="{}" stroke-linejoin="round" stroke-linecap="round"{}/>)",
        path, has_markers ? 2.2 : 1.5, line.dashes);
    if (has_markers) {
      for (const ChartPoint& point : line.series->points) {
        if (!is_drawn(point)) continue;
        put(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.4" fill="{}" stroke="{}" stroke-width="1.2"/>)",
            pixel_x(point.x), pixel_y(point.y), line.color, kPaper);
      }
    }
    out_ += "</g>\n";
  }

  void draw_legend() {
    if (!chart_.legend) return;
    const double x = right_ + kLegendGap, end = chart_.width - kMarginRight;
    double y = top_ + 10;
    for (const Line& line : lines_) {
      put(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}" stroke-width="3" stroke-linecap="round"{}/>)",
          x + 2, y - 4, x + kLegendSwatch - 4, y - 4, line.color, line.dashes);
      put(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)", x + kLegendSwatch + 4, y,
          escaped(shortened(line.series->name)));
      put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end" fill="{}">{}</text>)", end, y, kInkSoft,
          line.last_value);
      y += kLegendRow;
    }
  }

  const LineChart& chart_;
  std::vector<Line> lines_;
  AxisRange x_, y_;
  std::vector<double> x_ticks_, y_ticks_;
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
  std::string out_;
};

bool is_color(const std::string& text) {
  return text.size() == 7 && text[0] == '#' &&
         text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
}

}  // namespace

std::string line_chart_svg(const LineChart& chart) {
  if (chart.width < kMinWidth || chart.height < kMinHeight) {
    throw std::invalid_argument(fmt::format("a chart of {}×{} is smaller than {}×{}", chart.width,
                                            chart.height, kMinWidth, kMinHeight));
  }
  for (const ChartSeries& series : chart.series) {
    if (!series.color.empty() && !is_color(series.color)) {
      throw std::invalid_argument(fmt::format("the colour of chart series {} is {}, not #rrggbb",
                                              series.name, series.color));
    }
  }
  return Drawing(chart).draw();
}

LineChart exits_chart(std::string title, std::span<const ExitAccuracies> epochs) {
  LineChart chart{std::move(title), "epoch", "accuracy in %", {}};
  for (std::size_t exit = 0; exit < kExits; ++exit) {
    chart.series.push_back(
        {fmt::format("exit {}/{}", exit + 1, kExits), {}, std::string(kExitColors[exit])});
  }
  chart.series.push_back({"ensemble", {}, std::string(kEnsembleColor)});
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const double epoch = static_cast<double>(i + 1);
    for (std::size_t exit = 0; exit < kExits; ++exit) {
      chart.series[exit].points.push_back({epoch, epochs[i].exits[exit]});
    }
    chart.series[kExits].points.push_back({epoch, epochs[i].ensemble});
  }
  return chart;
}

}  // namespace autodidact::train
