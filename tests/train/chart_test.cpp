#include "train/chart.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/train/markup.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {

LineChart small_chart() {
  return {"title", "x axis", "y axis", {{"first", {{0, 1}, {1, 2}, {2, 4}}}, {"second", {{0, 3}}}}};
}

}  // namespace

TEST_CASE("a chart is one well-formed SVG with its title, labels, series and last values") {
  const std::string svg = line_chart_svg(small_chart());
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"440\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(is_well_formed(svg));
  for (const char* text : {">title<", ">x axis<", ">y axis<", ">first<", ">second<", ">4<"}) {
    CHECK_MESSAGE(svg.find(text) != std::string::npos, text);
  }
  CHECK(count_of(svg, "<path ") == 2);
  CHECK(count_of(svg, "<circle ") == 4);
}

TEST_CASE("larger values are drawn higher, later ones further right") {
  LineChart chart = small_chart();
  chart.series = {{"line", {{0, 0}, {10, 100}}}};
  const std::string svg = line_chart_svg(chart);
  const std::size_t d = svg.find(" d=\"M") + 5;
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  REQUIRE(std::sscanf(svg.c_str() + d, "%lf %lfL%lf %lf", &x1, &y1, &x2, &y2) == 4);
  CHECK(x1 < x2);
  CHECK(y1 > y2);
  CHECK(x2 < 760);
  CHECK(y2 > 0);
}

TEST_CASE("text is escaped, and control characters and broken UTF-8 are replaced") {
  LineChart chart = small_chart();
  chart.title = "<script>alert('&\"')</script>";
  chart.x_label = std::string("bell\x07 null\0 bad \xff\xfe", 17);
  chart.series[0].name = "ä < b & c, a name much longer than any legend";
  const std::string svg = line_chart_svg(chart);
  CHECK(is_well_formed(svg));
  CHECK(svg.find("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;") != std::string::npos);
  CHECK(
      std::none_of(svg.begin(), svg.end(), [](char c) { return c >= 0 && c < ' ' && c != '\n'; }));
  CHECK(svg.find('\xff') == std::string::npos);
  CHECK(svg.find(">ä &lt; b &amp; c, a name much l…<") != std::string::npos);
}

TEST_CASE("a missing point breaks its line") {
  LineChart chart = small_chart();
  chart.series = {{"gap", {{0, 1}, {1, 2}, {2, kMissing}, {3, 2}, {4, 1e300}, {5, 1}}}};
  const std::string svg = line_chart_svg(chart);
  const std::string path = svg.substr(svg.find(" d=\""), 120);
  CHECK(std::count(path.begin(), path.end(), 'M') == 3);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
}

TEST_CASE("a chart without data says so, and a series without points is left out") {
  LineChart chart = small_chart();
  chart.series = {{"empty", {}}, {"unknown", {{0, kMissing}}}};
  const std::string svg = line_chart_svg(chart);
  CHECK(is_well_formed(svg));
  CHECK(svg.find("no data") != std::string::npos);
  CHECK(svg.find("unknown") == std::string::npos);
}

TEST_CASE("a long series has no markers") {
  LineChart chart = small_chart();
  chart.series = {{"long", {}}};
  for (int i = 0; i < 500; ++i) chart.series[0].points.push_back({i * 1.0, i * 2.0});
  CHECK(count_of(line_chart_svg(chart), "<circle ") == 0);
}

TEST_CASE("a chart refuses a size or a colour that cannot be drawn") {
  LineChart chart = small_chart();
  chart.width = 100;
  CHECK_THROWS_WITH_AS(line_chart_svg(chart), "a chart of 100×440 is smaller than 320×200",
                       std::invalid_argument);
  chart = small_chart();
  chart.series[0].color = "red\"/>";
  CHECK_THROWS_AS(line_chart_svg(chart), std::invalid_argument);
}

TEST_CASE("the chart of exits has a line for each exit that was measured, and the ensemble") {
  const std::vector<ExitAccuracies> epochs{{{50, 55, 60, 65}, 67}, {{60, 65, 70, 75}, 77.5}};
  const LineChart chart = exits_chart("run", epochs);
  REQUIRE(chart.series.size() == 5);
  CHECK(chart.series[0].name == "exit 1/4");
  CHECK(chart.series[4].name == "ensemble");
  CHECK(chart.series[4].points[1].x == 2);
  CHECK(chart.series[4].points[1].y == 77.5);
  CHECK(count_of(line_chart_svg(chart), "<path ") == 5);

  const std::vector<ExitAccuracies> baseline{{{kMissing, kMissing, kMissing, 65}, kMissing}};
  CHECK(count_of(line_chart_svg(exits_chart("baseline", baseline)), "<path ") == 1);
}
