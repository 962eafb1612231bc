// Early exit as its users meet it: calibrate, eval --policy, predict.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "data/png.hpp"
#include "data/source.hpp"
#include "tests/cli/program.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::cli::testing;
using nlohmann::json;

// A network that has learned a little, and its policy, made once for all cases.
struct Trained {
  ScratchDirectory folder;
  std::string weights = (folder / "run/last.safetensors").string(), policy = (folder / "p.json").string();
  Outcome calibration;
  Trained() {
    REQUIRE(run("train --epochs 2 --batch 16 --seed 5 --schedule constant --lr 0.05 --out " + (folder / "run").string() + data() + kTinyNetwork + kFixed).status == 0);
    calibration = run("calibrate --batch 12 --out " + policy + common());
    REQUIRE(calibration.status == 0);
  }
  static std::string data() { return " --data synthetic:160,side=16,classes=4 "; }
  // What calibrate wrote, but with other exits than it chose: all three, at thresholds where some leave and some do not.
  std::string spread() const {
    const std::string path = (folder / "spread.json").string();
    json file = json::parse(read_text(policy));
    file["measure"] = "max_softmax";
    file["otherwise"] = "ensemble";
    file["exits"] = {{{"exit", 1}, {"threshold", 0.5}}, {{"exit", 2}, {"threshold", 0.6}}, {{"exit", 3}, {"threshold", 0.7}}};
    write_text(path, file.dump());
    return path;
  }
  std::string common() const { return data() + kFixed + "--weights " + weights; }
};
const Trained& trained() {
  static const Trained once;
  return once;
}

void check_near(double a, double b) { CHECK(a == doctest::Approx(b).epsilon(1e-9)); }
}  // namespace

TEST_CASE("calibrate: the policy has what eval and report need, on the images that training held out") {
  const json policy = json::parse(read_text(trained().policy));
  CHECK(policy["validation"]["seed"] == 5);
  CHECK(policy["validation"]["images"] == 16);
  CHECK(policy["batch"] == 12);
  CHECK(policy["network"]["width"] == "8");
  CHECK(policy["times"].size() == 5);  // 12, 6, 3, 2, 1 images
  CHECK_FALSE(policy["frontier"].empty());
  CHECK(policy["validation"]["accuracy"].get<double>() >= policy["validation"]["exits"][3].get<double>() - 0.5);
  CHECK(contains(trained().calibration.out, "times as fast"));
}

TEST_CASE("eval --policy: accuracy, shares and speed-up; the same answers with batches kept whole") {
  const Trained& t = trained();
  const std::string eval = "eval --json - --pairs 1 --policy " + t.spread() + t.common();
  const Outcome compact = run(eval), whole = run(eval + " --no-compact --batch 7");
  INFO(compact.err, whole.err);
  REQUIRE(compact.status == 0);
  REQUIRE(whole.status == 0);
  const json a = json::parse(compact.out), b = json::parse(whole.out);
  double shares = 0;
  for (const json& share : a["share_per_exit"]) shares += share.get<double>();
  check_near(shares, 1);
  CHECK(a["share_per_exit"][3] > 0);  // some stay, some leave before: else nothing is copied to the front, and nothing compared
  CHECK(a["share_per_exit"][3] < 1);
  CHECK(a["speedup_measured"].get<double>() > 0);
  CHECK(a["speedup_predicted"].get<double>() > 0);
  CHECK(a["speedup_pairs"].size() == 1);
  CHECK(a["accuracy"] == b["accuracy"]);
  CHECK(a["share_per_exit"] == b["share_per_exit"]);
  CHECK(a["exits"].size() == 4);
  CHECK(b["speedup_predicted"].is_null());  // times are of compacted batches
}

TEST_CASE("eval --policy: with thresholds that nobody passes it is the full run's ensemble, with 0 it is the first exit") {
  const Trained& t = trained();
  const auto write = [&](const char* threshold) {
    const std::string path = (t.folder / "hand.json").string();
    write_text(path, std::string(R"({"format": "autodidact exit policy", "version": 1, "measure": "max_softmax", "otherwise": "ensemble",
      "exits": [{"exit": 1, "threshold": )") + threshold + R"(}, {"exit": 2, "threshold": 2}, {"exit": 3, "threshold": 2}]})");
    const Outcome outcome = run("eval --json - --pairs 0 --policy " + path + t.common());
    REQUIRE(outcome.status == 0);
    return json::parse(outcome.out);
  };
  const json never = write("2"), always = write("0");
  CHECK(never["accuracy"] == never["ensemble"]);
  CHECK(never["ensemble_share"] == 1);
  CHECK(never["speedup_measured"].is_null());
  CHECK(always["accuracy"] == always["exits"][0]);
  CHECK(always["share_per_exit"] == json{1.0, 0.0, 0.0, 0.0});
}

TEST_CASE("predict: image files get the classes that eval counts, and where each was answered") {
  const Trained& t = trained();
  const data::Source source = data::open_source("synthetic:160,side=16,classes=4", data::Parts::test_only);
  std::string files;
  const std::size_t count = source.test->size();
  for (std::size_t i = 0; i < count; ++i) {
    data::Image image{source.test->shape(), std::vector<std::uint8_t>(source.test->shape().bytes())};
    source.test->copy_image(i, image.pixels);
    const std::string path = (t.folder / ("image" + std::to_string(i) + ".png")).string();
    write_text(path, data::encode_png(image));
    files += path + " ";
  }
  const Outcome eval = run("eval --json - --pairs 0 --policy " + t.spread() + t.common());
  for (const std::string& policy : {" --policy " + t.spread(), std::string()}) {
    CAPTURE(policy);
    const Outcome outcome = run("predict --json - --top 2 --weights " + t.weights + kFixed + policy + " " + files);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    const json predictions = json::parse(outcome.out);
    REQUIRE(predictions.size() == count);
    std::size_t correct = 0;
    std::vector<double> shares(4);
    for (std::size_t i = 0; i < count; ++i) {
      correct += predictions[i]["top"][0]["index"] == source.test->label(i);
      shares[predictions[i]["exit"].get<std::size_t>() - 1] += 1.0 / static_cast<double>(count);
      CHECK(predictions[i]["top"].size() == 2);
      CHECK(predictions[i]["top"][0]["probability"].get<double>() >= predictions[i]["top"][1]["probability"].get<double>());
      CHECK(predictions[i]["top"][0]["class"] == source.class_names[predictions[i]["top"][0]["index"].get<std::size_t>()]);
    }
    const json figures = json::parse(eval.out);
    check_near(100.0 * static_cast<double>(correct) / static_cast<double>(count), figures[policy.empty() ? "ensemble" : "accuracy"].get<double>());
    for (std::size_t k = 0; k < 4 && !policy.empty(); ++k) check_near(shares[k], figures["share_per_exit"][k].get<double>());
  }
  const Outcome line = run("predict --weights " + t.weights + kFixed + (t.folder / "image0.png").string());
  CHECK(contains(line.out, "image0.png: "));
  CHECK(contains(line.out, " % (all exits)\n"));
}

TEST_CASE("report --policy: draws the frontier behind the runs") {
  const Trained& t = trained();
  const std::string page = (t.folder / "r.html").string();
  const Outcome outcome = run("report --policy " + t.policy + " " + (t.folder / "run").string() + " --out " + page);
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(contains(read_text(page), "Early exit by p.json"));
}

TEST_CASE("early exit: what cannot be is one sentence and the documented code") {
  const Trained& t = trained();
  const std::string out = " --out " + (t.folder / "x.json").string();
  check_failure(run("calibrate --accuracy-drop -1" + out + t.common()), 2, {"accuracy drop", "-1"});
  check_failure(run("calibrate --budget-ms 1e-9" + out + t.common()), 2, {"no policy answers within"});
  check_failure(run("calibrate --budget-ms 1 --accuracy-drop 1" + out + t.common()), 2, {"excludes"});
  check_failure(run("calibrate --measure max" + out + t.common()), 2, {"max_softmax"});
  check_failure(run("calibrate --out " + (t.folder / "none/x.json").string() + t.common()), 7, {"none"});
  check_failure(run("eval --pairs 3" + t.common()), 2, {"--pairs", "--policy"});
  check_failure(run("eval --policy " + (t.folder / "none.json").string() + t.common()), 4, {"none.json", "no such file"});
  write_text(t.folder / "cut.json", read_text(t.policy).substr(0, 300));
  check_failure(run("eval --policy " + (t.folder / "cut.json").string() + t.common()), 4, {"cut.json", "no policy"});
  check_failure(run("eval --policy " + t.policy + kFixed + "--weights " + t.weights + " --data synthetic:64,side=8,classes=4"), 4,
                {"p.json", "another network", "side"});
  check_failure(run("predict --weights " + t.weights + " " + (t.folder / "none.png").string()), 3, {"none.png"});
  CHECK_FALSE(std::filesystem::exists(t.folder / "x.json"));

  const std::string w = (t.folder / "w.safetensors").string();
  REQUIRE(run("init --out " + w + kTinyNetwork + " --classes 4 --side 16 --recipe baseline").status == 0);
  check_failure(run("calibrate --weights " + w + out + Trained::data()), 2, {"without branches", "baseline"});
  check_failure(run("eval --policy " + t.spread() + " --weights " + w + Trained::data()), 4, {"spread.json", "another network", "no branches"});
  REQUIRE(run("init --out " + w + kTinyNetwork + " --classes 4 --side 16").status == 0);
  check_failure(run("calibrate --weights " + w + out + Trained::data()), 2, {"held out", "--seed"});
  check_failure(run("predict --weights " + w + " " + t.policy), 2, {"mean and deviation"});
}
