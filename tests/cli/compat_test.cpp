// What --compat seed changes, both sides of each; docs/testing.md lists the published program's faults and the tests that show them.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;
namespace fs = std::filesystem;
namespace train = autodidact::train;

// The side that the published program was made for.
const std::string kTrain = "train --batch 5 --epochs 12 --max-steps 3 --width 4 --data synthetic:64,side=32,classes=4" + kFixed;

Outcome trained(const fs::path& out, const std::string& options) {
  const Outcome outcome = run(kTrain + "--out " + out.string() + " " + options);
  INFO(options, outcome.err);
  REQUIRE(outcome.status == 0);
  return outcome;
}

// The accuracies of exits 1 to 4 and of the ensemble in the row of that name of the first table.
std::vector<double> table_row(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + " ");
  REQUIRE(at != std::string::npos);
  std::istringstream words(text.substr(at + 1 + name.size()));
  std::vector<double> row(5);
  for (double& number : row) words >> number;
  return row;
}

// Weights of which exit 1 says class 0 so loudly that it outvotes the others, who say class `other`.
void write_loud_exit(const fs::path& path, const std::string& classes, std::size_t other) {
  REQUIRE(run("init --recipe none --width 4 --classes " + classes + " --out " + path.string()).status == 0);
  const train::SafetensorsFile file = train::read_safetensors(path);
  std::vector<std::vector<float>> biases;
  std::vector<train::TensorView> tensors;
  biases.reserve(file.tensors.size());
  for (const auto& tensor : file.tensors) {
    tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
    if (!tensor.name.starts_with("fc") || !tensor.name.ends_with(".bias")) continue;
    const bool loud = tensor.name == "fc1.bias";
    std::vector<float>& bias = biases.emplace_back(static_cast<std::size_t>(tensor.shape[0]));
    bias[loud ? 0 : other] = loud ? 1e6F : 1e4F;
    tensors.back().bytes = std::as_bytes(std::span(bias));
  }
  train::write_safetensors(path, file.metadata, tensors);
}
}  // namespace

TEST_CASE("compat: layers and classes of the published program are made and saved; without it only what the loss and the data need") {
  const ScratchDirectory folder;
  trained(folder / "ours", "");
  trained(folder / "seed", "--compat seed");
  const auto ours = train::read_safetensors(folder / "ours/last.safetensors"), seed = train::read_safetensors(folder / "seed/last.safetensors");
  CHECK(ours.find("adaptation_layers.0.weight") == nullptr);
  CHECK(ours.find("adaptation_layers.1.weight") != nullptr);
  CHECK(ours.find("fc4.weight")->shape[0] == 4);
  CHECK(seed.find("fc4.weight")->shape[0] == 100);
  // Left alone: it is what the same seed initialises.
  REQUIRE(run("init --compat seed --width 4 --out " + (folder / "start").string()).status == 0);
  const auto start = train::read_safetensors(folder / "start");
  for (const char* name : {"adaptation_layers.0.weight", "adaptation_layers.0.bias"})
    CHECK(std::ranges::equal(seed.find(name)->bytes, start.find(name)->bytes));
  CHECK_FALSE(std::ranges::equal(seed.find("adaptation_layers.1.weight")->bytes, start.find("adaptation_layers.1.weight")->bytes));
}

TEST_CASE("compat: sides at which the published program fails are refused; without it any side trains") {
  const ScratchDirectory folder;
  const std::string other = "train --batch 5 --epochs 1 --max-steps 1 --width 4 --data synthetic:64,side=33,classes=4" + kFixed + "--out ";
  check_failure(run(other + (folder / "seed").string() + " --compat seed"), 2, {"33x33", "global pooling takes any"});
  CHECK(run(other + (folder / "ours").string()).status == 0);
}

TEST_CASE("compat: milestones are the published program's set; without it ten before the end counts only where that is later") {
  const ScratchDirectory folder;
  CHECK(contains(trained(folder / "ours", "").err, "divided by 10 at epochs 4, 8\n"));
  CHECK(contains(trained(folder / "seed", "--compat seed").err, "divided by 10 at epochs 2, 4, 8\n"));
}

TEST_CASE("compat: the best epoch is picked on the test half, and said to be; without it on a part that is held out") {
  const ScratchDirectory folder;
  const Outcome ours = trained(folder / "ours", "--json -"), seed = trained(folder / "seed", "--compat seed --json -");
  CHECK(Json::parse(ours.out).at("best_on") == "validation");
  CHECK(contains(ours.err, "58 of 64 training images"));
  CHECK(Json::parse(seed.out).at("best_on") == "test");
  CHECK(contains(seed.err, "64 of 64 training images"));
  CHECK(contains(seed.err, "picked on the test set"));
}

TEST_CASE("compat: the ensemble in training is of the deepest three exits; without it, and where it is judged, of all four") {
  const ScratchDirectory folder;
  const std::string quiet = "--recipe none --lr 1e-9 --init-from ";
  write_loud_exit(folder / "4", "4", 1);
  write_loud_exit(folder / "100", "100", 99);  // which no picture is
  const std::string ours = trained(folder / "ours", quiet + (folder / "4").string()).out;
  const std::string seed = trained(folder / "seed", "--compat seed " + quiet + (folder / "100").string()).out;
  for (const auto& [text, loudest] : {std::pair{ours, std::size_t{0}}, std::pair{seed, std::size_t{3}}}) {
    const auto row = table_row(text, "train");
    INFO(text);
    CHECK(row[0] != row[3]);  // else nothing is shown
    CHECK(row[1] == row[3]);
    CHECK(row[4] == row[loudest]);
  }
  const auto judged = table_row(seed, "test");
  CHECK(judged[4] == judged[0]);
}

TEST_CASE("a switch that is given False is off") {
  const ScratchDirectory folder;
  const auto weights = [&](const std::string& options) {
    const fs::path out = folder / ("run" + std::to_string(std::hash<std::string>()(options)));
    trained(out, "--recipe iccv2019 " + options);
    return read_text(out / "last.safetensors");
  };
  const std::string off = weights("--no-t2");
  CHECK((weights("--t2=False") == off));
  CHECK((weights("--t2") != off));
}

TEST_CASE("train: weights of a plain network are taken by name, and what is fresh or ignored is named") {
  const ScratchDirectory folder;
  REQUIRE(run("init --recipe baseline --seed 7 --width 4 --classes 4 --out " + (folder / "plain").string()).status == 0);
  const Outcome outcome = trained(folder / "run", "--lr 1e-30 --weight-decay 0 --init-from " + (folder / "plain").string());
  CHECK(contains(outcome.err, "tensors matched"));
  CHECK(contains(outcome.err, "missing: "));
  CHECK_FALSE(contains(outcome.err, ": conv1.weight"));
  const auto plain = train::read_safetensors(folder / "plain"), after = train::read_safetensors(folder / "run/last.safetensors");
  CHECK(std::ranges::equal(plain.find("layer4.1.conv2.weight")->bytes, after.find("layer4.1.conv2.weight")->bytes));
}
