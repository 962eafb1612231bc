#include "train/metrics_log.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/train/scratch.hpp"
#include "train/errors.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

TEST_CASE("a log line has every key, in the documented order") {
  MetricsRow row{.step = 391,
                 .epoch = 1.5,
                 .lr = 0.1,
                 .loss = 4.25,
                 .loss_ce = 4,
                 .loss_soft = 0.125,
                 .loss_feature = 0.125,
                 .gradient_norm = 1.5,
                 .clipped = 25};
  row.accuracies = {{21.5, 22, 25.25, 26}, 27};
  row.images_per_s = 812.5;
  row.exit_losses = {{1, 2, 3, 4}, {5, 6, 7, kMissing}, {8, kMissing, 9, kMissing}};
  row.kind = RowKind::cut;
  row.time = 1764012345.125;
  CHECK(to_json_line(row) ==
        R"({"step":391,"epoch":1.5,"kind":"cut","lr":0.1,"loss":4.25,"loss_ce":4,"loss_soft":0.125,"loss_feature":0.125,)"
        R"("loss_ce_exits":[1,2,3,4],"loss_soft_exits":[5,6,7,null],"loss_feature_exits":[8,null,9,null],"gradient_norm":1.5,"clipped":25,)"
        R"("exits":[21.5,22,25.25,26],"ensemble":27,"images_per_s":812.5,"time":1764012345.125})");
}

TEST_CASE("what is missing or not finite is null") {
  MetricsRow row{.step = 1};
  row.loss = std::numeric_limits<double>::infinity();
  row.loss_ce = -std::numeric_limits<double>::infinity();
  row.accuracies.exits[3] = 50;
  const auto json = nlohmann::json::parse(to_json_line(row));
  for (const char* key :
       {"lr", "loss", "loss_ce", "loss_soft", "loss_feature", "gradient_norm", "clipped", "ensemble", "images_per_s"}) {
    CHECK(json.at(key).is_null());
  }
  CHECK(json.at("exits") == nlohmann::json::array({nullptr, nullptr, nullptr, 50}));
}

TEST_CASE("numbers read back to the same double with the fewest digits") {
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -1e-7, 123456789012.5}) {
    MetricsRow row;
    row.loss = value;
    CHECK(nlohmann::json::parse(to_json_line(row)).at("loss").get<double>() == value);
  }
  MetricsRow row;
  row.loss = 0.3;
  CHECK(to_json_line(row).find(R"("loss":0.3,)") != std::string::npos);
}

TEST_CASE("lines are in the file as soon as they are appended, after those of an earlier log") {
  const ScratchDirectory scratch;
  MetricsRow row{.step = 1};
  MetricsLog(scratch / "metrics.jsonl").append(row);
  MetricsLog log(scratch / "metrics.jsonl");
  row.step = 2;
  log.append(row);
  std::string expected = to_json_line({.step = 1}) + "\n" + to_json_line({.step = 2}) + "\n";
  CHECK(read_text(scratch / "metrics.jsonl") == expected);
}

TEST_CASE("a line reads back to the row that it was written from, and a damaged one is refused with the reason") {
  MetricsRow row{.step = 391, .epoch = 1.5, .lr = 0.1, .loss = 1.0 / 3};
  row.accuracies.exits[3] = 26;
  row.exit_losses = {{1, 2, 3, 4}, {5, 6, 7, kMissing}, {kMissing, 8, 9, kMissing}};
  row.kind = RowKind::stopped;
  row.time = 1764012345.125;
  const MetricsRow back = from_json_line(to_json_line(row));
  CHECK(to_json_line(back) == to_json_line(row));
  CHECK(to_json_line(from_json_line(R"({"step":1,"epoch":0,"new":[]})")) == to_json_line({.step = 1}));
  CHECK(from_json_line(R"({"step":9,"epoch":3})").kind == RowKind::epoch);
  CHECK(from_json_line(R"({"step":9,"epoch":3,"kind":"steps"})").kind == RowKind::steps);
  const auto refusal = [](const char* line) {
    return message_of<std::invalid_argument>([&] { from_json_line(line); });
  };
  CHECK(refusal(R"({"step":1,"epo)") == "is not JSON at byte 15");
  CHECK(refusal("[1]") == "is not a JSON object");
  CHECK(refusal("") == "is not JSON at byte 1");
  CHECK(refusal(R"({"step":1,"step":2,"epoch":1})") == "has the key \"step\" twice");
  CHECK(refusal(R"({"epoch":1})") == "has no number of steps");
  CHECK(refusal(R"({"step":-1,"epoch":1})") == "has no number of steps");
  CHECK(refusal(R"({"step":1,"epoch":null})") == "has no epoch");
  CHECK(refusal(R"({"step":1,"epoch":1,"loss":"<b>"})") == "has a loss that is not a number");
  CHECK(refusal(R"({"step":1,"epoch":1,"loss":1e999})") == "has a number that is too large");
  CHECK(refusal(R"({"step":1,"epoch":1,"exits":[1,2,3]})") == "has exits that are not 4 numbers");
  CHECK(refusal(R"({"step":1,"epoch":1,"loss_soft_exits":7})") == "has loss_soft_exits that are not 4 numbers");
  CHECK(refusal(R"({"step":1,"epoch":1,"kind":"<b>"})") == "has a kind that is none");
  CHECK(refusal(R"({"step":1,"epoch":1,"kind":7})") == "has a kind that is none");
}

TEST_CASE("the CSV has the log's rows, a column for each number, and is made anew from the log") {
  const ScratchDirectory scratch;
  MetricsRow row{.step = 1, .epoch = 0.5, .lr = 0.1};
  row.accuracies = {{21.5, kMissing, 25.25, 26}, 27};
  row.exit_losses.soft = {1, kMissing, 3, kMissing};
  row.kind = RowKind::cut;
  CHECK(csv_header() == "step,epoch,kind,lr,loss,loss_ce,loss_soft,loss_feature,loss_ce_exit1,loss_ce_exit2,loss_ce_exit3,loss_ce_exit4,"
                        "loss_soft_exit1,loss_soft_exit2,loss_soft_exit3,loss_feature_exit1,loss_feature_exit2,loss_feature_exit3,"
                        "gradient_norm,clipped,exit1,exit2,exit3,exit4,ensemble,images_per_s,time");
  MetricsLog(scratch / "metrics.jsonl").append(row);
  const std::string first = csv_header() + "\n1,0.5,cut,0.1,,,,,,,,,1,,3,,,,,,21.5,,25.25,26,27,,\n";
  CHECK(read_text(scratch / "metrics.csv") == first);
  write_text(scratch / "metrics.csv", "lost");
  MetricsLog(scratch / "metrics.jsonl").append({.step = 2});
  CHECK(read_text(scratch / "metrics.csv") == first + "2,0,steps,,,,,,,,,,,,,,,,,,,,,,,,\n");
}

TEST_CASE("a full disk is a resource error that leaves no half line") {
  const ScratchDirectory scratch;
  MetricsLog log(scratch / "metrics.jsonl");
  const std::string line = to_json_line({.step = 1}) + "\n";
  std::string message;
  {
    const FullDisk full(line.size() + 10);
    log.append({.step = 1});
    message = message_of<ResourceError>([&] { log.append({.step = 2}); });
  }
  CHECK(message == "cannot append to " + (scratch / "metrics.jsonl").string() + ": File too large");
  CHECK(read_text(scratch / "metrics.jsonl") == line);
}

TEST_CASE("a log in a folder that does not exist is a resource error") {
  const ScratchDirectory scratch;
  CHECK_THROWS_AS(MetricsLog(scratch / "no/metrics.jsonl"), ResourceError);
}
