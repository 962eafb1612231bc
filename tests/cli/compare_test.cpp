// `autodidact train --compare` as its users run it.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;
namespace fs = std::filesystem;

const std::string kRuns = "train --batch 16 --epochs 2 --lr 0.01 --seed 3 --data synthetic:64,side=8,classes=4 --model resnet18 --width 4 "
                          "--choose fixed --threads 1 --out ";

// What --choose fixed makes the same in every run: all but speed and time.
std::string numbers_of(const fs::path& run) {
  std::string rows;
  std::istringstream lines(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) rows += line.substr(0, line.find(",\"images_per_s\"")) + "\n";
  return rows;
}
}  // namespace

TEST_CASE("compare: recipes are run alike, each as an ordinary run, and the table says what they gain over the plain network") {
  const ScratchDirectory folder;
  const fs::path out = folder / "all";
  const std::string compare = kRuns + out.string() + " --compare baseline,seed --seeds 2";
  const Outcome outcome = run(compare);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.out.starts_with("test accuracy in % after the last epoch, mean ± sample deviation of 2 seeds\n"));
  for (const char* part : {"\nbaseline ", "\nseed ", "gained over 4/4 of baseline, seed by seed\n", " ± "}) CHECK(contains(outcome.out, part));
  CHECK(contains(outcome.err, "run 4 of 4: recipe seed, seed 4"));
  CHECK(contains(read_text(out / "report.html"), "Points gained over exit 4/4 of baseline"));

  const Json json = Json::parse(read_text(out / "comparison.json"));
  REQUIRE(json.at("runs").size() == 4);
  const auto exit4 = [&](std::size_t i) { return json.at("runs")[i].at("test").at("exits")[3].get<double>(); };
  CHECK(json.at("runs")[1].at("directory") == "seed-seed3");
  const Json& seed = json.at("recipes")[1];
  CHECK(seed.at("recipe") == "seed");
  CHECK(seed.at("mean").at("exits")[3].get<double>() == doctest::Approx((exit4(1) + exit4(3)) / 2));
  CHECK(seed.at("gain").at("exits")[3].get<double>() == doctest::Approx((exit4(1) - exit4(0) + exit4(3) - exit4(2)) / 2));

  // The same run by itself, also by the options that the comparison wrote down.
  REQUIRE(run(kRuns + (folder / "one").string() + " --recipe seed --json " + (folder / "one.json").string()).status == 0);
  CHECK(numbers_of(folder / "one") == numbers_of(out / "seed-seed3"));
  CHECK(Json::parse(read_text(folder / "one.json")) == Json::parse(read_text(out / "seed-seed3/result.json")));
  CHECK(run("train --config " + (out / "seed-seed3/config.toml").string() + " --resume auto").status == 0);

  // Runs that have ended are read; one of which nothing is left starts anew, another goes on.
  fs::remove_all(out / "baseline-seed4");
  fs::remove(out / "seed-seed4/result.json");
  const std::string json_before = read_text(out / "comparison.json");
  const Outcome again = run(compare + " --resume auto");
  INFO(again.err);
  REQUIRE(again.status == 0);
  for (const char* part : {"run 1 of 4: recipe baseline, seed 3: had ended after", "run 2 of 4: recipe seed, seed 3: had ended", "goes on after step"})
    CHECK(contains(again.err, part));
  CHECK(again.out == outcome.out);
  CHECK(read_text(out / "comparison.json") == json_before);
  check_failure(run(compare), 2, {"baseline-seed3 already holds a run", "--resume auto"});
  check_failure(run(compare + " --resume auto --weight-decay 0.1"), 2, {"--weight-decay is 0.1, it was"});
}

TEST_CASE("compare: a signal ends it with exit code 75, and a run whose numbers overflow is reported while the others go on") {
  const ScratchDirectory folder;
  const fs::path out = folder / "all";
  std::string endless = kRuns + out.string() + " --compare none,baseline --resume auto";
  endless.replace(endless.find("--epochs 2"), 10, "--epochs 100000");
  const pid_t child = start(endless, folder / "err");
  for (int i = 0; i < 2000 && read_text(out / "none-seed3/metrics.jsonl").empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  INFO(read_text(folder / "err"));
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 75);
  CHECK(contains(read_text(folder / "err"), "saved after a signal with 0 of 2 runs done"));
  CHECK(ends_with_sentence(read_text(folder / "err")));
  CHECK_FALSE(fs::exists(out / "none-seed3/result.json"));
  CHECK_FALSE(fs::exists(out / "comparison.json"));

  std::string wild = kRuns;
  wild.replace(wild.find("--lr 0.01"), 9, "--lr 1e30");
  const Outcome failed = run(wild + (folder / "wild").string() + " --compare none,baseline --json -");
  check_failure(failed, 5, {"none-seed3: step ", "; baseline-seed3: step "});
  const Json json = Json::parse(failed.out);
  REQUIRE(json.at("runs").size() == 2);
  for (const Json& one : json.at("runs")) CHECK(contains(one.at("failure"), "not finite"));
}

TEST_CASE("compare: what makes no sense beside it is refused before anything is read") {
  const ScratchDirectory folder;
  const std::string compare = kRuns + (folder / "all").string() + " --compare baseline,seed ";
  check_failure(run(compare + "--recipe none"), 2, {"--recipe cannot be given with --compare"});
  check_failure(run(compare + "--alpha 0.5"), 2, {"--alpha cannot be given with --compare"});
  check_failure(run(compare + "--resume x.safetensors"), 2, {"--resume auto"});
  check_failure(run(kRuns + (folder / "all").string() + " --compare baseline,baseline"), 2, {"names baseline twice"});
  check_failure(run(kRuns + (folder / "all").string() + " --compare baseline,seeed"), 2, {"seeed"});
  check_failure(run(kRuns + (folder / "all").string() + " --seeds 2"), 2, {"--seeds is for --compare"});
  CHECK_FALSE(fs::exists(folder / "all"));
  check_failure(run(kRuns + "'' --compare baseline,seed"), 2, {"output directory has an empty name"});
  CHECK_FALSE(fs::exists("/baseline-seed3"));
}
