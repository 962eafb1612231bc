// How a step is taken: --optimizer and its numbers, --ema, --clip-norm, --accumulate, --freeze-bn; and that what means nothing is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;
namespace fs = std::filesystem;

const std::string kTrain = "train --batch 16 --epochs 1 --max-steps 2" + kTinyData + kTinyNetwork + kFixed + "--out ";

std::string weights_of(const std::string& options) {
  const ScratchDirectory folder;
  const Outcome outcome = run(kTrain + (folder / "run").string() + " " + options);
  INFO(options, outcome.err);
  REQUIRE(outcome.status == 0);
  return read_text(folder / "run/last.safetensors");
}

Json memory_of(const std::string& options) {
  const Outcome outcome = run("info --json - --threads 2 --batch 256" + kTinyNetwork + kTinyImages + options);
  INFO(outcome.err);
  REQUIRE(Json::accept(outcome.out));
  return Json::parse(outcome.out).at("memory");
}
}  // namespace

TEST_CASE("step options: every one of them reaches the weights") {
  const std::string sgd = weights_of(""), lars = weights_of("--optimizer lars"), adamw = weights_of("--optimizer adamw");
  CHECK(sgd != lars);
  CHECK(sgd != adamw);
  CHECK(sgd == weights_of("--optimizer sgd --lr 0.1 --weight-decay 5e-4 --accumulate 1 --ema 0 --clip-norm 0"));
  for (const char* option : {"--ema 0.9", "--clip-norm 0.01", "--accumulate 2", "--freeze-bn"}) CHECK((weights_of(option) != sgd));
  CHECK(lars != weights_of("--optimizer lars --trust-coefficient 0.1"));
  CHECK(lars != weights_of("--optimizer lars --momentum 0"));
  for (const char* option : {"--beta1 0.5", "--beta2 0.5", "--epsilon 0.1", "--lr 0.01", "--weight-decay 0", "--no-decay-bn"})
    CHECK((weights_of("--optimizer adamw " + std::string(option)) != adamw));
}

TEST_CASE("step options: the numbers of another optimizer are refused, and a dumped config is taken back") {
  const ScratchDirectory folder;
  const std::string out = (folder / "run").string();
  check_failure(run(kTrain + out + " --optimizer adamw --momentum 0.8"), 2, {"--momentum is of --optimizer sgd and lars; this is adamw"});
  check_failure(run(kTrain + out + " --optimizer lars --nesterov"), 2, {"--nesterov is of --optimizer sgd"});
  check_failure(run(kTrain + out + " --beta1 0.8"), 2, {"--beta1 is of --optimizer adamw; this is sgd"});
  check_failure(run(kTrain + out + " --optimizer adam"), 2, {"adam"});
  check_failure(run(kTrain + out + " --optimizer adamw --beta2 1"), 2, {"beta2 must be at least 0 and below 1, got 1"});
  check_failure(run(kTrain + out + " --ema 1"), 2, {"must be at least 0 and below 1, got 1"});
  check_failure(run(kTrain + out + " --clip-norm -1"), 2, {"not negative, got -1"});
  check_failure(run(kTrain + out + " --accumulate 9"), 2, {"--accumulate 9", "--batch 16"});
  CHECK_FALSE(fs::exists(out));

  for (const char* optimizer : {"sgd", "lars", "adamw"}) {
    const Outcome dumped = run(kTrain + out + " --dump-config --optimizer " + optimizer);
    REQUIRE(dumped.status == 0);
    CHECK(contains(dumped.out, "optimizer=\"" + std::string(optimizer) + "\""));
    CHECK(contains(dumped.out, optimizer == std::string("adamw") ? "lr=0.001\n" : optimizer == std::string("lars") ? "lr=1\n" : "lr=0.1\n"));
    CHECK(contains(dumped.out, "momentum=") == (optimizer != std::string("adamw")));
    CHECK(contains(dumped.out, "beta1=") == (optimizer == std::string("adamw")));
    write_text(folder / "config.toml", dumped.out);
    const Outcome again = run("train --dump-config --config " + (folder / "config.toml").string());
    INFO(again.err);
    CHECK(again.out == dumped.out);
  }
}

TEST_CASE("step options: --clip-norm is seen in metrics.jsonl, and the averaged weights are what eval judges") {
  const ScratchDirectory folder;
  const fs::path out = folder / "run";
  const Outcome outcome = run(kTrain + out.string() + " --ema 0.9 --clip-norm 0.01 --json -");
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const std::string text = read_text(out / "metrics.jsonl");
  const Json row = Json::parse(text.substr(text.rfind('\n', text.size() - 2) + 1));
  CHECK(row.at("clipped") == 100);
  CHECK(row.at("gradient_norm").get<double>() > 0.01);
  const Outcome judged = run("eval --json - --weights " + (out / "last.safetensors").string() + kTinyData + kFixed);
  CHECK(Json::parse(judged.out).at("exits") == Json::parse(outcome.out).at("test").at("exits"));
  const auto file = [](const fs::path& path) { return autodidact::train::read_safetensors(path); };
  for (const auto& entry : fs::directory_iterator(out / "checkpoints")) {
    const auto checkpoint = autodidact::train::read_sealed_safetensors(entry.path());
    const auto bytes = file(out / "last.safetensors").find("conv1.weight")->bytes;
    CHECK(std::ranges::equal(checkpoint.find("average/conv1.weight")->bytes, bytes));
    CHECK_FALSE(std::ranges::equal(checkpoint.find("values/conv1.weight")->bytes, bytes));
  }
}

TEST_CASE("step options: info accounts for what they keep, and micro-batches need less") {
  const Json plain = memory_of(""), all = memory_of(" --optimizer adamw --ema 0.9 --accumulate 4");
  for (const char* part : {"second_moments", "accumulated", "average"}) {
    CHECK(plain.at(part) == 0);
    CHECK(all.at(part).get<double>() >= plain.at("values").get<double>());
  }
  // Not a quarter: scratch for gradients of weights, much of it in a network this small, does not shrink.
  CHECK(all.at("arena").get<double>() * 1.3 < plain.at("arena").get<double>());
  double sum = 0;
  for (const auto& [part, bytes] : all.items())
    if (part != "model" && part != "batch" && part != "precision" && part != "parameters" && part != "total") sum += bytes.get<double>();
  CHECK(sum == all.at("total").get<double>());
}

TEST_CASE("step options: frozen statistics are those of the start") {
  const ScratchDirectory folder;
  const fs::path start = folder / "start.safetensors", out = folder / "run";
  REQUIRE(run(kTrain + (folder / "first").string() + " --lr 0.01").status == 0);
  fs::copy(folder / "first/last.safetensors", start);
  REQUIRE(run(kTrain + out.string() + " --freeze-bn --stem cifar --init-from " + start.string()).status == 0);
  const auto before = autodidact::train::read_safetensors(start), after = autodidact::train::read_safetensors(out / "last.safetensors");
  for (const auto& tensor : before.tensors) {
    if (tensor.name.ends_with("num_batches_tracked")) continue;
    const bool statistic = tensor.name.find("running_") != std::string::npos;
    CAPTURE(tensor.name);
    CHECK(std::ranges::equal(tensor.bytes, after.find(tensor.name)->bytes) == statistic);
  }
  CHECK(run("train --batch 16 --epochs 1 --max-steps 1 --data synthetic:64,side=32,classes=4 --freeze-bn --stem imagenet" + kTinyNetwork + kFixed +
            "--out " + (folder / "pooled").string()).status == 0);
}

TEST_CASE("options that mean nothing for a command are not offered") {
  const ScratchDirectory folder;
  for (const char* command : {"plan --batch 4", "info", "bench step"})
    check_failure(run(std::string(command) + " --zero-init-residual"), 2, {"unknown option --zero-init-residual"});
  check_failure(run("eval --weights w --data synthetic --recompute none"), 2, {"unknown option --recompute"});
  check_failure(run("eval --weights w --data synthetic --zero-init-residual"), 2, {"unknown option --zero-init-residual"});
  CHECK(run("init --zero-init-residual --out " + (folder / "w").string() + kTinyNetwork + kTinyImages).status == 0);
  check_failure(run(kTrain + (folder / "run").string() + " --cutmix-prob 0.5"), 2, {"--cutmix-prob is of --cutmix"});
  check_failure(run(kTrain + (folder / "run").string() + " --cutmix 1 --cutmix-prob 1.5"), 2, {"0 to 1, got 1.5"});
}
