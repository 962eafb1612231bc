// Weights and logits on their way to other programs: eval --batch, convert, export.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact;
using namespace autodidact::cli::testing;
using train::FileType, train::SafetensorsFile, train::TensorRecord;
using Json = nlohmann::json;

constexpr std::int64_t kClasses = 4, kSide = 8;

// Freshly initialised weights of recipe seed, and a way to make batches for them.
struct Files {
  ScratchDirectory folder;
  std::string weights = path("w.safetensors");

  Files() { REQUIRE(run("init --seed 1 --out " + weights + kTinyNetwork + kTinyImages).status == 0); }
  std::string path(const std::string& name) const { return (folder / name).string(); }
  SafetensorsFile read(const std::string& name) const { return train::read_safetensors(folder / name); }

  // Images `first` … first + count of an endless row.
  void write_batch(const std::string& name, std::int64_t first, std::int64_t count, const std::vector<std::int64_t>& labels = {}) const {
    std::vector<float> images;
    for (std::int64_t i = first * 3 * kSide * kSide; i < (first + count) * 3 * kSide * kSide; ++i)
      images.push_back(static_cast<float>(std::sin(0.7 * static_cast<double>(i) + 1e-4 * static_cast<double>(i * i % 10007))));
    std::vector<train::TensorView> tensors{train::view_of<float>("images", {count, 3, kSide, kSide}, images)};
    if (!labels.empty()) tensors.push_back(train::view_of<std::int64_t>("labels", {count}, labels));
    train::write_safetensors(folder / name, {}, tensors);
  }
  Outcome eval(const std::string& batch, const std::string& logits, const std::string& of = "w.safetensors") const {
    return run("eval --weights " + path(of) + " --batch " + path(batch) + " --logits " + path(logits) + kFixed);
  }
};

std::set<std::string> names(const SafetensorsFile& file) {
  std::set<std::string> all;
  for (const TensorRecord& tensor : file.tensors) all.insert(tensor.name);
  return all;
}
bool any_begins(const std::set<std::string>& names, const std::string& prefix) {
  const auto found = names.lower_bound(prefix);
  return found != names.end() && found->starts_with(prefix);
}
}  // namespace

TEST_CASE("eval --batch: logits of any number of images, each as if it were alone, and accuracies if there are labels") {
  constexpr std::int64_t kImages = 130;  // more than one program's
  constexpr float kOtherProgram = 1e-5F;  // another batch size may sum in another order
  const Files files;
  const std::vector<std::int64_t> labels(kImages, 2);
  files.write_batch("many", 0, kImages, labels);
  files.write_batch("last", kImages - 1, 1);
  const Outcome many = files.eval("many", "many.logits"), last = files.eval("last", "last.logits");
  INFO(many.err, last.err);
  REQUIRE((many.status == 0 && last.status == 0));
  const Json result = Json::parse(many.out);
  CHECK(result.at("images") == kImages);
  CHECK(Json::parse(last.out).at("ensemble").is_null());
  CHECK(names(files.read("many.logits")) == std::set<std::string>{"logits/1", "logits/2", "logits/3", "logits/4"});
  for (int k = 1; k <= 4; ++k) {
    const std::string name = "logits/" + std::to_string(k);
    const SafetensorsFile all = files.read("many.logits"), one = files.read("last.logits");
    const auto rows = all.require(name, FileType::f32, {kImages, kClasses}).values<float>();
    const auto row = one.require(name, FileType::f32, {1, kClasses}).values<float>();
    for (std::size_t q = 0; q < kClasses; ++q) CHECK(std::abs(rows[(kImages - 1) * kClasses + q] - row[q]) <= kOtherProgram);
    std::int64_t right = 0;
    for (std::size_t n = 0; n < kImages; ++n) {
      const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(n * kClasses);
      right += std::max_element(begin, begin + kClasses) - begin == labels[n];
    }
    CHECK(result.at("exits").at(static_cast<std::size_t>(k - 1)) == doctest::Approx(100.0 * static_cast<double>(right) / kImages));
  }
}

TEST_CASE("eval --batch: what cannot be is said in one sentence") {
  const Files files;
  files.write_batch("b", 0, 2);
  files.write_batch("wrong", 0, 2, {0, 9});
  const std::string eval = "eval --weights " + files.weights;
  check_failure(run(eval), 2, {"--data is required, or --batch"});
  check_failure(run(eval + kTinyData + "--batch " + files.path("b")), 2, {"not from both"});
  check_failure(run(eval + kTinyData + "--logits " + files.path("l")), 2, {"--logits needs --batch"});
  check_failure(run(eval + kTinyData + "--batch 0"), 2, {"--batch takes 1 to"});
  check_failure(run(eval + kTinyData + "--batch=-3"), 2, {"--batch takes 1 to"});
  check_failure(files.eval("none", "l"), 3, {"there is no such file"});
  check_failure(files.eval("wrong", "l"), 3, {"labels[1] is 9"});
  check_failure(run(eval + " --channels 1 --batch " + files.path("b")), 3, {"must have the 1 channels"});
  CHECK_FALSE(std::filesystem::exists(files.path("l")));
}

TEST_CASE("convert: each reader gets exactly its names, and the same logits") {
  const Files files;
  files.write_batch("b", 0, 3);
  REQUIRE(files.eval("b", "before").status == 0);
  const std::set<std::string> ours = names(files.read("w.safetensors"));
  REQUIRE(any_begins(ours, "adaptation_layers.1"));
  const auto convert = [&](const std::string& reader) {
    const Outcome outcome = run("convert --weights " + files.weights + " --for " + reader + " --out " + files.path("out"));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    REQUIRE(files.eval("b", "after", "out").status == 0);
    CHECK(std::ranges::equal(files.read("after").require("logits/4", FileType::f32).bytes, files.read("before").require("logits/4", FileType::f32).bytes));
    return names(files.read("out"));
  };

  std::set<std::string> without_adaptation = ours;
  std::erase_if(without_adaptation, [](const std::string& name) { return name.starts_with("adaptation_layers."); });
  CHECK(convert("seed") == without_adaptation);

  std::set<std::string> with_all = ours;
  with_all.insert({"adaptation_layers.0.weight", "adaptation_layers.0.bias"});
  CHECK(convert("seed+adaptation") == with_all);
  CHECK(std::ranges::equal(files.read("out").require("adaptation_layers.2.weight", FileType::f32).bytes,
                           files.read("w.safetensors").require("adaptation_layers.2.weight", FileType::f32).bytes));

  const std::set<std::string> torchvision = convert("torchvision");
  CHECK((torchvision.contains("fc.weight") && torchvision.contains("fc.bias") && torchvision.contains("bn1.num_batches_tracked")));
  for (const char* prefix : {"fc1", "fc4", "attention", "scala", "adaptation"}) CHECK_FALSE(any_begins(torchvision, prefix));
  check_failure(run("convert --weights " + files.path("out") + " --for seed --out " + files.path("none")), 4, {"tensors are missing", "attention1"});
  check_failure(run("convert --weights " + files.weights + " --for keras --out " + files.path("none")), 2, {"seed, seed+adaptation or torchvision"});
  CHECK_FALSE(std::filesystem::exists(files.path("none")));
}

TEST_CASE("train --init-from: a network of torchvision's names gives its trunk, and all that did not fit is told") {
  const Files files;
  REQUIRE(run("convert --weights " + files.weights + " --for torchvision --out " + files.path("t")).status == 0);
  const auto train = [&](int steps) {
    return run(fmt::format("train --epochs 1 --max-steps {} --batch 16 --stem imagenet --json - --resume auto --init-from {} --out {} "
                           "--data synthetic:64,side=16,classes=4", steps, files.path("t"), files.path("run")) + kTinyNetwork + kFixed);
  };
  const Outcome outcome = train(1);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const Json report = Json::parse(outcome.out).at("init_from");
  CHECK(report.at("mismatched") == Json{"conv1.weight (8,3,3,3), not (8,3,7,7)"});
  CHECK(report.at("unexpected").empty());
  std::set<std::string> matched = report.at("matched");
  CHECK((matched.contains("fc4.weight") && matched.contains("layer4.1.bn2.running_var") && !matched.contains("conv1.weight")));
  std::set<std::string> missing = report.at("missing");
  CHECK((missing.contains("fc1.weight") && missing.contains("adaptation_layers.2.bias") && !any_begins(missing, "layer")));
  CHECK(contains(outcome.err, "1 of another shape start fresh"));
  CHECK(contains(outcome.err, "of another shape: conv1.weight (8,3,3,3), not (8,3,7,7)\n"));
  // Where the run goes on, nothing is taken again, but what was is still known.
  const Outcome later = train(2);
  INFO(later.err);
  REQUIRE(later.status == 0);
  CHECK(Json::parse(later.out).at("init_from") == report);
  CHECK(Json::parse(read_text(files.path("run") + "/result.json")).at("init_from") == report);
}

TEST_CASE("export --onnx: one file, or none and a sentence") {
  const Files files;
  const std::string command = "export --weights " + files.weights;
  const Outcome outcome = run(command + " --onnx " + files.path("m.onnx") + " --exit 1");
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  const std::string bytes = read_text(files.path("m.onnx"));
  CHECK((contains(bytes, "logits1") && !contains(bytes, "logits2") && contains(bytes, "class_names")));
  check_failure(run(command), 2, {"nothing to export"});
  check_failure(run(command + " --exit 1 --hf " + files.path("h")), 2, {"--exit needs --onnx"});
  check_failure(run(command + " --onnx /nowhere/m.onnx"), 7, {"/nowhere/m.onnx"});
  check_failure(run(command + " --model resnet34 --onnx " + files.path("none")), 4, {"tensors that the network needs"});
  CHECK_FALSE(std::filesystem::exists(files.path("none")));
}

TEST_CASE("export --hf: a whole folder with the figures of these very weights, or with none") {
  const Files files;
  const std::string train = files.path("run");
  REQUIRE(run("train --epochs 2 --batch 16 --seed 1 --out " + train + kTinyData + kTinyNetwork + kFixed).status == 0);
  const auto exported = [&](const std::string& weights, const std::string& folder, const std::string& more = "") {
    const Outcome outcome = run("export --weights " + weights + " --hf " + files.path(folder) + more);
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    return read_text(files.path(folder) + "/README.md");
  };
  const std::string card = exported(train + "/last.safetensors", "last");
  std::string last_row, line;
  std::istringstream rows(read_text(train + "/metrics.jsonl"));
  while (std::getline(rows, line)) last_row = line;
  const Json row = Json::parse(last_row);
  for (std::size_t k = 0; k < 4; ++k)
    CHECK(contains(card, fmt::format("| exit {}/4 | {:.2f} |", k + 1, row.at("exits").at(k).get<double>())));
  CHECK(contains(card, "on the validation part of `synthetic`, after epoch 2 (8 steps)"));
  CHECK((card.starts_with("---\n") && contains(card, "model-index:")));

  const Json config = Json::parse(read_text(files.path("last") + "/config.json"));
  CHECK(config.at("num_labels") == kClasses);
  CHECK(config.at("label2id").at(config.at("id2label").at("3").get<std::string>()) == 3);
  CHECK(Json::parse(read_text(files.path("last") + "/preprocessor_config.json")).at("image_mean").size() == 3);
  CHECK(run("eval --weights " + files.path("last") + "/model.safetensors" + kTinyData + kFixed).out ==
        run("eval --weights " + train + "/last.safetensors" + kTinyData + kFixed).out);
  CHECK(files.read("last/model.safetensors").metadata.at("format") == "pt");

  // Weights of which nothing is known.
  const std::string bare = exported(files.weights, "bare");
  CHECK(contains(bare, "none are given"));
  CHECK_FALSE((contains(bare, "model-index") || contains(bare, "| exit")));
  CHECK_FALSE(std::filesystem::exists(files.path("bare") + "/preprocessor_config.json"));
  check_failure(run("export --weights " + files.weights + " --hf " + files.path("x") + " --run " + train), 3, {"no epoch of this run"});
  check_failure(run("export --weights " + files.weights + " --hf " + files.path("bare")), 2, {"exists already"});
  check_failure(run("export --weights " + files.weights + " --hf /proc/x"), 7, {"/proc/x"});
  for (const std::string& name : files.folder.names()) CHECK_FALSE(name.starts_with("."));
}

TEST_CASE("eval: weights that do not say how images are normalised take it from the training half, before it got a border") {
  const ScratchDirectory folder;
  const std::string data = " --data synthetic:400,side=28,classes=4 ", out = (folder / "run").string();
  REQUIRE(run("train --epochs 2 --batch 32 --model resnet18 --width 8 --out " + out + data + kFixed).status == 0);
  const auto file = autodidact::train::read_safetensors(out + "/last.safetensors");
  auto metadata = file.metadata;
  REQUIRE((metadata.erase("mean") == 1 && metadata.erase("std") == 1));
  std::vector<autodidact::train::TensorView> tensors;
  for (const auto& tensor : file.tensors) tensors.push_back({tensor.name, tensor.type, tensor.shape, tensor.bytes});
  autodidact::train::write_safetensors(folder / "bare.safetensors", metadata, tensors);
  const Outcome whole = run("eval --weights " + out + "/last.safetensors" + data + kFixed);
  const Outcome bare = run("eval --weights " + (folder / "bare.safetensors").string() + data + kFixed);
  INFO(bare.err);
  REQUIRE(bare.status == 0);
  CHECK(bare.out == whole.out);
}
