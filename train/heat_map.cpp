#include "train/heat_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "train/chart_colors.hpp"
#include "train/markup.hpp"

namespace autodidact::train {
namespace {

constexpr double kWidth = 425, kTop = 64, kRight = 26, kBottom = 30;
constexpr double kCharacter = 6.4, kLongestLabel = 88;
constexpr double kRoomForNumbers = 22;  // pixels of a cell
constexpr double kFaintest = 0.02;      // below it a cell is as good as empty

// Cut to `most` characters of UTF-8.
std::string shortened(const std::string& name, std::size_t most) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < name.size(); ++i)
    if ((static_cast<unsigned char>(name[i]) & 0xC0) != 0x80 && ++characters > most) return name.substr(0, i) + "…";
  return name;
}

class HeatMap {
 public:
  HeatMap(const Confusion& confusion, std::size_t column, double worst) : confusion_(confusion), column_(column), worst_(worst) {
    double longest = 0;
    for (std::size_t q = 0; q < confusion.classes; ++q) longest = std::max(longest, static_cast<double>(confusion.name_of(q).size()));
    left_ = std::min(longest * kCharacter, kLongestLabel) + 34;
    cell_ = (kWidth - left_ - kRight) / static_cast<double>(confusion.classes);
  }

  std::string draw(const std::string& title) {
    const double side = cell_ * static_cast<double>(confusion_.classes);
    put(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}" font-family="sans-serif" )"
        R"(font-size="11" fill="{}">)", kWidth, kTop + side + kBottom, escaped(title), kInk);
    put("<title>{}</title>", escaped(title));
    put(R"(<text x="{:.1f}" y="20" font-size="15" font-weight="600">{}</text>)", left_, escaped(title));
    put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">answered</text>)", left_ + side / 2, kTop + side + 20, kInkSoft);
    put(R"svg(<text transform="translate(12 {:.1f}) rotate(-90)" text-anchor="middle" fill="{}">true class</text>)svg", kTop + side / 2,
        kInkSoft);
    for (std::size_t q = 0; q < confusion_.classes; ++q) labels(q);
    for (std::size_t truth = 0; truth < confusion_.classes; ++truth)
      for (std::size_t answer = 0; answer < confusion_.classes; ++answer) cell(truth, answer);
    put(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="none" stroke="{}"/>)", left_, kTop, side, side, kAxis);
    return out_ + "</svg>\n";
  }

 private:
  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  void labels(std::size_t q) {
    const double middle = (static_cast<double>(q) + 0.5) * cell_;
    const auto most = static_cast<std::size_t>(kLongestLabel / kCharacter);
    const std::string name = confusion_.name_of(q);
    put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end" fill="{}">{}</text>)", left_ - 6, kTop + middle + 4, kInkSoft, escaped(shortened(name, most)));
    // Columns have room for a few letters, aslant.
    put(R"svg(<text transform="translate({:.1f} {:.1f}) rotate(-35)" font-size="10" fill="{}">{}</text>)svg", left_ + middle - 3, kTop - 5, kInkSoft,
        escaped(shortened(name, 7)));
  }

  void cell(std::size_t truth, std::size_t answer) {
    const double share = confusion_.share(column_, truth, answer);
    const bool right = truth == answer;
    const double strength = right ? share : share / worst_;
    if (!(share > 0) || !(strength >= kFaintest)) return;
    const double x = left_ + static_cast<double>(answer) * cell_, y = kTop + static_cast<double>(truth) * cell_;
    put(R"(<g><title>{} answered as {}: {} of {}, {:.1f} %</title>)", escaped(confusion_.name_of(truth)), escaped(confusion_.name_of(answer)),
        confusion_.at(column_, truth, answer), confusion_.images_of(truth), 100 * share);
    put(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}" fill-opacity="{:.2f}"/>)", x, y, cell_, cell_,
        right ? kExitColors[2] : kEnsembleColor, strength);
    if (cell_ >= kRoomForNumbers && share >= 0.005)
      put(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">{:.0f}</text>)", x + cell_ / 2, y + cell_ / 2 + 4,
          strength > 0.55 ? kPaper : kInk, 100 * share);
    put("</g>");
  }

  const Confusion& confusion_;
  std::size_t column_;
  double worst_, left_ = 0, cell_ = 0;
  std::string out_;
};
}  // namespace

double worst_share(const Confusion& confusion) {
  double worst = 0;
  for (std::size_t column = 0; column < kColumns; ++column)
    for (std::size_t truth = 0; truth < confusion.classes; ++truth)
      for (std::size_t answer = 0; answer < confusion.classes; ++answer)
        if (truth != answer) worst = std::fmax(worst, confusion.share(column, truth, answer));
  return worst;
}

std::string confusion_svg(const Confusion& confusion, std::size_t column, const std::string& title, double worst) {
  return HeatMap(confusion, column, worst).draw(title);
}
}  // namespace autodidact::train
