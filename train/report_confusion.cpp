#include "train/report_confusion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "train/heat_map.hpp"
#include "train/markup.hpp"
#include "train/report_charts.hpp"

namespace autodidact::train {
namespace {

constexpr std::size_t kMostPairs = 15, kPairsInWords = 3, kMostClassesOpen = 20;

// Of a true class and another that was answered.
struct Mistake {
  std::size_t truth, answer;
  double share;  // of the class's images
};

// The largest first, `most` of them.
std::vector<Mistake> mistakes_of(const Confusion& confusion, std::size_t column, std::size_t most) {
  std::vector<Mistake> all;
  for (std::size_t truth = 0; truth < confusion.classes; ++truth)
    for (std::size_t answer = 0; answer < confusion.classes; ++answer)
      if (const double share = confusion.share(column, truth, answer); truth != answer && share > 0) all.push_back({truth, answer, share});
  std::stable_sort(all.begin(), all.end(), [](const Mistake& a, const Mistake& b) { return a.share > b.share; });
  all.resize(std::min(all.size(), most));
  return all;
}

std::string column_name(std::size_t column) { return column == kExits ? "ensemble" : fmt::format("exit {}/{}", column + 1, kExits); }

class Part : MarkupLines {
 public:
  explicit Part(const Confusion& confusion) : confusion_(confusion) {
    for (std::size_t column = 0; column < kColumns; ++column)
      if (!confusion.counts[column].empty()) columns_.push_back(column);
  }

  std::string html(const char* heading) {
    put("<{0} class=\"part\">Which class is taken for which</{0}>", heading);
    put("<p>{} on the test half of {}, each number a share of its true class.</p>", escaped(confusion_.weights), escaped(confusion_.data));
    if (confusion_.classes <= kMostMappedClasses) maps();
    else mistakes_table();
    classes_table();
    return std::move(out_);
  }

 private:
  void maps() {
    const double worst = worst_share(confusion_);
    put("<p>Blue: right, the stronger the more of the row. Orange: wrong, the strongest being {:.1f} %. Numbers are per cent.</p>\n"
        "<div class=\"pair\">", 100 * worst);
    for (const std::size_t column : columns_) {
      const std::string name = column == kExits ? "Ensemble" : fmt::format("Exit {}/{}", column + 1, kExits);
      put("<figure>\n{}<figcaption>{}</figcaption>\n</figure>", confusion_svg(confusion_, column, name, worst), escaped(words(column)));
    }
    put("</div>");
  }

  std::string words(std::size_t column) const {
    std::string text;
    for (const Mistake& mistake : mistakes_of(confusion_, column, kPairsInWords))
      text += fmt::format("{}{} for {} ({:.1f} %)", text.empty() ? "Most often takes " : ", ", confusion_.name_of(mistake.truth),
                          confusion_.name_of(mistake.answer), 100 * mistake.share);
    return text.empty() ? "Every image is right." : text + ".";
  }

  void head(const char* first) {
    put("<thead><tr><th scope=\"col\">{}</th>", first);
    for (const std::size_t column : columns_) put("<th scope=\"col\">{}</th>", column_name(column));
    put("</tr></thead>\n<tbody>");
  }
  void cells(std::size_t truth, std::size_t answer) {
    for (const std::size_t column : columns_) put("<td>{}</td>", percent(100 * confusion_.share(column, truth, answer)));
    put("</tr>");
  }

  void mistakes_table() {
    put("<div class=\"scroll\"><table class=\"mistakes\"><caption>The most frequent mistakes of {}: per cent of the true class’s images, "
        "at every exit.</caption>", columns_.back() == kExits ? "the ensemble" : column_name(columns_.back()));
    head("true class → answered");
    for (const Mistake& mistake : mistakes_of(confusion_, columns_.back(), kMostPairs)) {
      put("<tr><th scope=\"row\">{} → {}</th>", escaped(confusion_.name_of(mistake.truth)), escaped(confusion_.name_of(mistake.answer)));
      cells(mistake.truth, mistake.answer);
    }
    put("</tbody></table></div>");
  }

  // The hardest first.
  void classes_table() {
    std::vector<std::size_t> order;
    for (std::size_t q = 0; q < confusion_.classes; ++q)
      if (confusion_.images_of(q) > 0) order.push_back(q);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return confusion_.share(columns_.back(), a, a) < confusion_.share(columns_.back(), b, b);
    });
    put("<details{}><summary>Accuracy of each class, in per cent, the hardest first</summary>",
        order.size() <= kMostClassesOpen ? " open=\"open\"" : "");
    put("<div class=\"scroll\"><table class=\"classes\">");
    head("class");
    for (const std::size_t q : order) {
      put("<tr><th scope=\"row\">{}</th>", escaped(confusion_.name_of(q)));
      cells(q, q);
    }
    put("</tbody></table></div></details>");
  }

  const Confusion& confusion_;
  std::vector<std::size_t> columns_;
};
}  // namespace

std::string confusion_html(const Confusion& confusion, const char* heading) { return Part(confusion).html(heading); }
}  // namespace autodidact::train
