// A run from the first weights to the accuracy of the trained ones, what may go wrong on the way, and tables as JSON.
#include <doctest/doctest.h>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;
namespace fs = std::filesystem;

// All of stdout is one JSON value, or the test fails.
Json json_of(const Outcome& outcome) {
  INFO(outcome.out, outcome.err);
  REQUIRE(outcome.status == 0);
  REQUIRE(Json::accept(outcome.out));
  return Json::parse(outcome.out);
}
std::vector<Json> rows_of(const fs::path& metrics) {
  std::vector<Json> rows;
  std::istringstream lines(read_text(metrics));
  for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
  return rows;
}

const std::string kTinyTrain = "train --batch 16" + kTinyData + kTinyNetwork + kFixed + " --out ";

// Starts the program, sends the signal once `until` exists, and returns how it ended, as wait() says it.
int interrupt(const std::string& arguments, const fs::path& until, int signal, const fs::path& err) {
  const pid_t child = start(arguments, err);
  for (int i = 0; i < 1200 && !fs::exists(until); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(child, signal);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}
}  // namespace

TEST_CASE("train: nobody needs to read what it says, of a damaged plan cache too") {
  const ScratchDirectory folder;
  const fs::path cache = folder / "cache.txt";
  write_text(cache, "nonsense");
  const std::string command = "'" AUTODIDACT_PROGRAM "' train --epochs 1 --max-steps 1 --batch 16 --plan-cache " + cache.string() + " --out " +
                              (folder / "run").string() + kTinyNetwork + kTinyData + " >/dev/null 2>/dev/full";
  CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("train: without --out a run is written into runs/train, a comparison into runs/compare, and goes on there") {
  const ScratchDirectory folder;
  const std::string inside = "cd '" + folder.path().string() + "' &&";
  const std::string small = "train --batch 16 --epochs 1 --max-steps 1" + kTinyData + kTinyNetwork + kFixed;
  CHECK(run(small, inside).status == 0);
  CHECK(contains(read_text(folder / "runs/train/config.toml"), "out=\"runs/train\""));
  check_failure(run(small, inside), 2, {"runs/train already holds a run"});
  CHECK(run("train --config runs/train/config.toml --resume auto", inside).status == 0);
  CHECK(run(small + " --compare baseline", inside).status == 0);
  CHECK(fs::exists(folder / "runs/compare/baseline-seed0/result.json"));
}

TEST_CASE("train: a small run writes its folder, and eval needs nothing but the weights") {
  const ScratchDirectory folder;
  const fs::path out = folder / "run", w = folder / "w.safetensors";
  REQUIRE(run("init --seed 3 --out " + w.string() + kTinyNetwork + kTinyImages).status == 0);
  const std::string train = "train --epochs 1 --max-steps 2 --batch 16 --lr 0.05 --init-from " + w.string() + " --out " +
                            out.string() + kTinyData + kTinyNetwork + kFixed;
  const Json result = json_of(run(train + "--json -"));
  CHECK(result.at("steps") == 2);
  CHECK(result.at("test").at("exits").size() == 4);
  for (const char* file : {"metrics.jsonl", "config.toml", "last.safetensors", "best.safetensors"})
    CHECK(fs::exists(out / file));

  const Json accuracy = json_of(run("eval --json - --weights " + (out / "last.safetensors").string() + kTinyData + kFixed));
  CHECK(accuracy.at("exits") == result.at("test").at("exits"));
  CHECK(accuracy.at("ensemble") == result.at("test").at("ensemble"));
  CHECK(accuracy.at("images").get<int>() > 0);

  const Outcome again = run(train);
  CHECK(again.status == 2);  // two runs are never mixed in one folder
  CHECK(ends_with_sentence(again.err));
}

TEST_CASE("train: the config file that a run wrote repeats it bit for bit") {
  const ScratchDirectory folder;
  const fs::path first = folder / "first", second = folder / "second";
  REQUIRE(run("train --epochs 1 --max-steps 1 --batch 16 --seed 9 --recipe iccv2019 --out " + first.string() + kTinyData +
              kTinyNetwork + kFixed).status == 0);
  const Outcome again = run("train --config " + (first / "config.toml").string() + " --out " + second.string());
  INFO(again.err);
  REQUIRE(again.status == 0);
  CHECK(read_text(first / "last.safetensors") == read_text(second / "last.safetensors"));
}

TEST_CASE("train: metrics.jsonl has these keys and no other; the last row of an epoch has its losses and the judged accuracies") {
  const ScratchDirectory folder;
  const Outcome outcome = run("train --batch 2 --epochs 2 --max-steps 60 --lr 0.01 --out " + (folder / "run").string() +
                              " --data synthetic:120,side=8,classes=4 " + kTinyNetwork + kFixed);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const std::vector<Json> rows = rows_of(folder / "run/metrics.jsonl");
  REQUIRE(rows.size() == 3);  // step 50, the end of epoch 1 at 54, the last step
  for (const Json& row : rows) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : row.items()) keys.push_back(key);
    CHECK(keys == std::vector<std::string>{"clipped", "ensemble", "epoch", "exits", "gradient_norm", "images_per_s", "kind", "loss", "loss_ce", "loss_ce_exits", "loss_feature",
                                           "loss_feature_exits", "loss_soft", "loss_soft_exits", "lr", "step", "time"});
    for (const char* list : {"exits", "loss_ce_exits", "loss_soft_exits", "loss_feature_exits"}) CHECK(row.at(list).size() == 4);
    const Json& ce = row.at("loss_ce_exits");
    constexpr double kAlpha = 0.3;  // of recipe seed
    CHECK(row.at("loss_ce").get<double>() ==
          doctest::Approx(ce[3].get<double>() + (1 - kAlpha) * (ce[0].get<double>() + ce[1].get<double>() + ce[2].get<double>())));
    CHECK(row.at("gradient_norm").get<double>() > 0);
    CHECK(row.at("clipped").is_null());  // there is no bound
    const auto number = [&](const char* key) { return row.at(key).get<double>(); };
    CHECK(number("loss") == doctest::Approx(number("loss_ce") + number("loss_soft") + number("loss_feature")));
  }
  CHECK(rows[0].at("step") == 50);
  CHECK(rows[1].at("step") == 54);
  CHECK(rows[1].at("epoch") == 1);
  CHECK(rows[0].at("kind") == "steps");
  CHECK(rows[1].at("kind") == "epoch");
  CHECK(rows[2].at("kind") == "cut");
  CHECK(rows[2].at("step") == 60);
  CHECK(rows[2].at("epoch").get<double>() == doctest::Approx(1 + 6.0 / 54));
  CHECK(rows[1].at("ensemble").get<double>() * 12 / 100 == doctest::Approx(std::round(rows[1].at("ensemble").get<double>() * 12 / 100)));
}

TEST_CASE("train: after each epoch there is a table of the exits, in train and validation, and the start names the milestones") {
  const ScratchDirectory folder;
  const Outcome outcome = run(kTinyTrain + (folder / "run").string() + " --epochs 4 --lr 0.01");
  REQUIRE(outcome.status == 0);
  for (const char* part : {"epoch 1/4", "epoch 4/4", "1/4     2/4     3/4     4/4   ensemble", "\ntrain ", "\nvalidation ", "\ntest "})
    CHECK(contains(outcome.out, part));
  CHECK(contains(outcome.err, "learning rate 0.01, divided by 10 at epochs 1, 2\n"));
  CHECK(contains(outcome.err, "58 of 64 training images"));
  CHECK_FALSE(contains(outcome.err, "\r"));  // no terminal
  CHECK(contains(run(kTinyTrain + (folder / "cosine").string() + " --epochs 3 --max-steps 1 --schedule cosine --warmup 2").err,
                 "learning rate 0.1, cosine, warmup over 2 epochs\n"));
}

TEST_CASE("train: weights say all of their network, so that eval needs no other option") {
  const ScratchDirectory folder;
  const std::string bottleneck = " --data synthetic:64,side=16,classes=4 --model resnet50 --width 8 --dilate 3,4 --groups 2 --width-per-group 32 ";
  const Json result = json_of(run("train --batch 16 --epochs 1 --max-steps 2 --json - --out " + (folder / "run").string() + bottleneck + kFixed));
  const auto weights = autodidact::train::read_safetensors(folder / "run/last.safetensors");
  for (const char* key : {"model", "width", "classes", "class_names", "channels", "side", "stem", "recipe", "mean", "std"})
    CHECK(weights.metadata.contains(key));
  CHECK(Json::parse(weights.metadata.at("class_names")).size() == 4);
  CHECK(weights.require("bn1.num_batches_tracked", autodidact::train::FileType::i64, {}).values<std::int64_t>()[0] == 2);
  const Json accuracy = json_of(run("eval --data synthetic:64,side=16,classes=4 --json - --weights " + (folder / "run/last.safetensors").string() + kFixed));
  CHECK(accuracy.at("exits") == result.at("test").at("exits"));
}

TEST_CASE("train: a start that fails takes nothing from the run that was to be overwritten") {
  const ScratchDirectory folder;
  const fs::path out = folder / "run";
  REQUIRE(run(kTinyTrain + out.string() + " --epochs 1").status == 0);
  const std::string before = read_text(out / "last.safetensors");
  CHECK(run(kTinyTrain + out.string() + " --overwrite --init-from " + (folder / "none").string()).status == 4);
  const std::vector<float> numbers(3);
  using namespace autodidact;
  train::write_safetensors(folder / "other", {}, std::vector{train::view_of<float>("bn1.bias", {3}, numbers)});
  check_failure(run(kTinyTrain + out.string() + " --overwrite --init-from " + (folder / "other").string()), 4,
                {"none of its 1 tensors fits", "bn1.bias (3), not (8)"});
  CHECK(read_text(out / "last.safetensors") == before);
  CHECK(run(kTinyTrain + out.string() + " --overwrite --epochs 1 --init-from " + (out / "last.safetensors").string()).status == 0);
  CHECK(read_text(out / "last.safetensors") != before);
}

TEST_CASE("train: a signal ends the run after its step, with the weights and a checkpoint saved, and exit code 75") {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const ScratchDirectory folder;
    const fs::path out = folder / "run";
    const int status = interrupt(kTinyTrain + out.string() + " --epochs 100000", out / "config.toml", signal, folder / "err");
    INFO(read_text(folder / "err"));
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 75);
    CHECK_FALSE(fs::is_empty(out / "checkpoints"));
    CHECK(ends_with_sentence(read_text(folder / "err")));
    CHECK(json_of(run("eval --json - --weights " + (out / "last.safetensors").string() + kTinyData + kFixed)).at("images") == 12);
    for (const Json& row : rows_of(out / "metrics.jsonl"))
      CHECK((row.at("kind") == "stopped") == (row.at("epoch") != std::floor(row.at("epoch").get<double>())));
  }
}

TEST_CASE("train: a reader that goes away does not end the training") {
  const ScratchDirectory folder;
  const std::string out = (folder / "run").string();
  const int status = std::system(("'" AUTODIDACT_PROGRAM "' " + kTinyTrain + out + " --epochs 3 2>&1 | true").c_str());
  CHECK(status == 0);
  for (int i = 0; i < 600 && rows_of(folder / "run/metrics.jsonl").size() < 3; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(rows_of(folder / "run/metrics.jsonl").size() == 3);
}

TEST_CASE("train: --compat seed is the published program as far as data of 10 classes show it; an option beside it wins") {
  const ScratchDirectory folder;
  const std::string compat = "train --compat seed --batch 16 --max-steps 1 --data synthetic:64,classes=4 --width 4" + kFixed + "--out ";
  const Outcome outcome = run(compat + (folder / "a").string() + " --epochs 12 --json -");
  const Json result = json_of(outcome);
  for (const char* part : {"100 classes", "64 of 64 training images", "divided by 10 at epochs 2, 4, 8", "picked on the test set"})
    CHECK(contains(outcome.err, part));
  CHECK(result.at("best_on") == "test");
  const auto weights = autodidact::train::read_safetensors(folder / "a/last.safetensors");
  for (const char* name : {"adaptation_layers.0.weight", "adaptation_layers.1.weight", "adaptation_layers.2.weight"})
    CHECK(weights.find(name) != nullptr);
  CHECK(weights.require("fc1.weight", autodidact::train::FileType::f32).shape[0] == 100);

  const Outcome beside = run(compat + (folder / "b").string() + " --epochs 200 --recipe iccv2019 --validation --no-adaptation");
  REQUIRE(beside.status == 0);
  for (const char* part : {"recipe iccv2019", "58 of 64", "epochs 75, 130, 180"}) CHECK(contains(beside.err, part));
  CHECK(contains(beside.out, "picked on validation"));
  CHECK(autodidact::train::read_safetensors(folder / "b/last.safetensors").find("adaptation_layers.0.weight") == nullptr);

  const Outcome many = run("train --compat seed --data synthetic:101,classes=101 --width 4 --out " + (folder / "c").string() + kFixed);
  CHECK(many.status == 2);
  CHECK(contains(many.err, "100 classes, the data has 101"));
  const Outcome odd = run("train --compat seed --data synthetic:64,side=33 --width 4 --out " + (folder / "d").string() + kFixed);
  CHECK(odd.status == 2);
  CHECK_FALSE(fs::exists(folder / "d/metrics.jsonl"));
}

TEST_CASE("train: what the compat network saw, eval sees: its pooling is in the file") {
  const ScratchDirectory folder;
  const std::string data = " --data synthetic:64,side=40,classes=4 ";
  const Json result = json_of(run("train --compat seed --epochs 1 --batch 16 --width 4 --json - --out " + (folder / "run").string() + data + kFixed));
  const auto weights = autodidact::train::read_safetensors(folder / "run/last.safetensors");
  CHECK(weights.metadata.at("pooling") == "window");
  CHECK(json_of(run("eval --json - --weights " + (folder / "run/last.safetensors").string() + data + kFixed)).at("exits") ==
        result.at("test").at("exits"));
  CHECK(run("eval --weights " + (folder / "run/last.safetensors").string() + " --data synthetic:64,side=20,classes=4").status == 2);
}

TEST_CASE("train: picking on the test half is said") {
  const ScratchDirectory folder;
  const Outcome outcome = run(kTinyTrain + (folder / "a").string() + " --epochs 1 --best-on-test");
  REQUIRE(outcome.status == 0);
  CHECK(contains(outcome.err, "picked on the test set"));
  CHECK(contains(outcome.err, "64 of 64"));
  CHECK(contains(outcome.out, "picked on test"));
}

TEST_CASE("train: every recipe and every number of the loss takes a step") {
  const char* variants[] = {"--recipe iccv2019", "--recipe scan", "--recipe none", "--recipe none --adaptation", "--recipe baseline",
                            "--recipe baseline --alpha 0.5", "--feature-exits none", "--lambda 0", "--alpha 1", "--alpha 0",
                            "--alpha 1 --lambda 0", "--feature-exits 3 --no-adaptation", "--feature-exits 1,2,3", "--temperature 20 --t2",
                            "--feature-term squares --lambda 1e-6", "--no-decay-bn --nesterov"};
  for (const char* variant : variants) {
    CAPTURE(variant);
    const ScratchDirectory folder;
    const Outcome outcome = run(kTinyTrain + (folder / "run").string() + " --epochs 1 --max-steps 1 " + variant);
    INFO(outcome.err);
    CHECK(outcome.status == 0);
  }
}

TEST_CASE("eval: without --json the figures are alone on stdout, in one line") {
  const ScratchDirectory folder;
  const std::string w = (folder / "w.safetensors").string();
  REQUIRE(run("init --out " + w + kTinyNetwork + kTinyImages).status == 0);
  const Outcome outcome = run("eval --weights " + w + kTinyData + kFixed);
  const Json accuracy = json_of(outcome);
  CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1);
  CHECK(accuracy.size() == 3);
  CHECK(accuracy.at("images") == 12);
  CHECK(contains(outcome.err, "ensemble"));
}

TEST_CASE("eval: weights from elsewhere need the network's options, and no more") {
  const ScratchDirectory folder;
  const std::string w = (folder / "w.safetensors").string();
  REQUIRE(run("init --out " + w + kTinyNetwork + kTinyImages).status == 0);
  const std::string eval = "eval --json - --weights " + w + kTinyData + kFixed;
  const Json known = json_of(run(eval));
  const auto file = autodidact::train::read_safetensors(w);
  std::vector<autodidact::train::TensorView> tensors;
  for (const auto& tensor : file.tensors)
    if (!tensor.name.starts_with("adaptation")) tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
  autodidact::train::write_safetensors(w, {}, tensors);
  const Outcome nothing = run(eval);
  CHECK(nothing.status == 2);
  for (const char* option : {"--model", "--width", "--classes"}) CHECK(contains(nothing.err, option));
  CHECK(json_of(run(eval + kTinyNetwork + "--classes 4")) == known);
}

TEST_CASE("eval: a network without branches has the accuracy of its one exit") {
  const ScratchDirectory folder;
  const std::string w = (folder / "w.safetensors").string();
  REQUIRE(run("init --recipe baseline --out " + w + kTinyNetwork + kTinyImages).status == 0);
  const Json accuracy = json_of(run("eval --json - --weights " + w + kTinyData + kFixed));
  for (int k = 0; k < 3; ++k) CHECK(accuracy.at("exits").at(k).is_null());
  CHECK(accuracy.at("exits").at(3).is_number());
}

TEST_CASE("init: the same seed gives the same file, another seed another") {
  const ScratchDirectory folder;
  const auto weights = [&](const char* name, const char* seed) {
    const std::string path = (folder / name).string();
    REQUIRE(run("init --out " + path + " --seed " + seed + kTinyNetwork).status == 0);
    return read_text(path);
  };
  const std::string first = weights("a", "1");
  CHECK(first == weights("b", "1"));
  CHECK(first != weights("c", "2"));
}

TEST_CASE("plan: a table of tasks, as JSON alone on stdout if asked for") {
  const std::string plan = "plan --batch 4" + kTinyNetwork + kTinyImages + kFixed;
  const Outcome table = run(plan);
  CHECK(table.status == 0);
  for (const char* part : {"conv1", "layer4.1", "scala1.0.op.1", "backward_weights"}) CHECK(contains(table.out, part));
  const Json json = json_of(run(plan + "--json -"));
  CHECK(json.dump().find("scala1.0.op.1") != std::string::npos);
  for (const char* key : {"task", "pass", "shape", "format", "implementation", "algorithm", "threads", "lane", "bytes", "predicted_ms", "measured_ms"})
    CHECK(json.at("tasks").at(0).contains(key));
  CHECK(json.at("tasks").at(0).at("measured_ms").is_null());
  CHECK(json_of(run(plan + "--time 1 --json -")).at("tasks").at(1).at("measured_ms").is_number());
}
