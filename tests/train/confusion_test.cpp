#include "train/confusion.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/train/markup.hpp"
#include "tests/train/scratch.hpp"
#include "train/heat_map.hpp"
#include "train/report_confusion.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {
// Of the baseline: exit 4 alone. Ten images a class; class 0 is taken for the last one three times, all else is right.
Confusion three_mistakes(std::size_t classes) {
  Confusion confusion{.class_names = {"cat<", "dog"}, .weights = "last.safetensors", .data = "pets"};
  for (std::size_t truth = 0; truth < classes; ++truth)
    for (int image = 0; image < 10; ++image) confusion.add(3, classes, truth, truth == 0 && image < 3 ? classes - 1 : truth);
  return confusion;
}
bool contains(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }
}  // namespace

TEST_CASE("confusion: what was counted is read back from its file, and shares are of the true class") {
  const Confusion confusion = three_mistakes(3);
  CHECK(confusion.share(3, 0, 2) == 0.3);
  CHECK(confusion.share(3, 0, 0) == 0.7);
  CHECK(confusion.share(3, 2, 0) == 0);
  CHECK(std::isnan(confusion.share(0, 0, 0)));
  CHECK(confusion.name_of(2) == "2");
  const std::string text = to_json(confusion);
  const auto json = nlohmann::json::parse(text);
  CHECK(json["exits"][3] == nlohmann::json{{7, 0, 3}, {0, 10, 0}, {0, 0, 10}});
  CHECK(json["exits"][0].is_null());
  CHECK(json["ensemble"].is_null());
  const Confusion back = confusion_from_json(text);
  CHECK(back.counts == confusion.counts);
  CHECK(back.class_names == confusion.class_names);
  CHECK(to_json(back) == text);

  Confusion many;
  many.add(3, kMostConfusedClasses + 1, 0, 0);
  CHECK(many.classes == 0);
}

TEST_CASE("confusion: a damaged file is refused with the reason") {
  const auto refusal = [](const std::string& text) { return message_of<std::invalid_argument>([&] { confusion_from_json(text); }); };
  CHECK(refusal("7") == "is not a JSON object");
  CHECK(refusal("") == "is not JSON at byte 1");
  CHECK(refusal(R"({"classes":1,"classes":2})") == "has the key \"classes\" twice");
  CHECK(refusal("{\"exits\":" + std::string(200000, '[') + std::string(200000, ']') + "}") == "is nested deeper than 4 levels");
  CHECK(refusal(R"({"classes":0})") == "has no number of classes from 1 to 1000");
  CHECK(refusal(R"({"classes":99999999999})") == "has no number of classes from 1 to 1000");
  CHECK(refusal(R"({"classes":2,"exits":[null,null,null,null]})") == "has no list of 4 exits, the last of which is there");
  for (const char* matrix : {"[[1,2]]", "[[1,2],[3]]", "[[1,2],[3,-4]]", "[[1,2],[3,\"4\"]]", "7", "[[1,2],[3,1e300]]", "[[1,2],[3,9007199254740992]]"})
    CHECK(refusal(std::string(R"({"classes":2,"exits":[null,null,null,)") + matrix + "]}") == "has a matrix that is not 2×2 numbers of images");
}

TEST_CASE("confusion: few classes are shown as a heat map and in words, many in a table; both with each class's accuracy") {
  const std::string few = confusion_html(three_mistakes(3), "h2");
  CHECK(is_well_formed(few));
  CHECK(count_of(few, "<svg ") == 1);
  CHECK(count_of(few, "<rect ") == 4 + 1);  // cells that are not empty, and the frame
  for (const char* part : {"cat&lt; answered as 2: 3 of 10, 30.0 %", "Most often takes cat&lt; for 2 (30.0 %).", "<td>70.00</td>", "open=\"open\""})
    CHECK_MESSAGE(contains(few, part), part);
  const std::string many = confusion_html(three_mistakes(kMostMappedClasses + 1), "h3");
  CHECK(is_well_formed(many));
  CHECK(count_of(many, "<svg ") == 0);
  CHECK(contains(many, "cat&lt; → 20</th>\n<td>30.00</td>"));
  CHECK_FALSE(contains(many, "open=\"open\""));

  Confusion perfect;
  for (std::size_t q = 0; q < 3; ++q) perfect.add(3, 3, q, q);
  const std::string page = confusion_html(perfect, "h2");
  CHECK(contains(page, "Every image is right."));
  CHECK_FALSE(contains(page, "nan"));
}
