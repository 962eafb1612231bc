// --precision, as a user meets it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "engine/onednn.hpp"
#include "tests/cli/program.hpp"
#include "train/safetensors.hpp"

namespace {
using namespace autodidact::cli::testing;
using Json = nlohmann::json;

const std::string kTrain = "train" + kTinyNetwork + kTinyData + kFixed + "--batch 8 --epochs 2 --plan-cache off ";
}  // namespace

TEST_CASE("--precision bf16: a CPU that has none is told so in one sentence, by every command; auto takes f32 there") {
  const ScratchDirectory folder;
  const std::string old = "ONEDNN_MAX_CPU_ISA=AVX2", network = kTinyNetwork + kTinyImages + kFixed;
  for (const std::string& command : {kTrain + "--precision bf16 --out '" + (folder / "run").string() + "'",
                                     "plan --precision bf16" + network, "bench step --batch 4 --precision bf16" + network,
                                     "info --precision bf16" + network, std::string("gradcheck --op relu --precision bf16")}) {
    CAPTURE(command);
    check_failure(run(command, old), 2, {"cannot compute in bf16", "AVX-512"});
  }
  CHECK(folder.names().empty());
  const Outcome found = run("bench step --batch 4 --steps 1 --precision auto --json -" + network, old);
  INFO(found.err);
  REQUIRE(found.status == 0);
  CHECK(Json::parse(found.out)["precision"] == "f32");
  CHECK(contains(found.err, "precision f32: oneDNN"));
}

TEST_CASE("--precision: plan and bench say in what the step computes") {
  if (!autodidact::engine::onednn::has_bf16()) return;
  const std::string network = kTinyNetwork + " --classes 4 --side 16 " + kFixed + "--batch 8 --precision bf16 --json - ";
  const Outcome bench = run("bench step --steps 1 --check" + network);
  REQUIRE(bench.status == 0);
  const Json json = Json::parse(bench.out);
  CHECK(json["precision"] == "bf16");
  CHECK(json["check"]["tolerance"].get<double>() > 0.1);
  int planes = 0;
  const Json plan = Json::parse(run("plan" + network).out);
  for (const Json& task : plan["tasks"]) planes += task["type"] == "bf16";
  CHECK(planes > 50);
}

TEST_CASE("--precision: a run in bf16 that was stopped goes on to the same bits, in bf16 whatever auto would find then") {
  if (!autodidact::engine::onednn::has_bf16()) return;
  const ScratchDirectory folder;
  const std::string whole = (folder / "whole").string(), parts = (folder / "parts").string();
  const auto train = [&](const std::string& out, const std::string& more) { return run(kTrain + "--out '" + out + "' " + more); };
  REQUIRE(train(whole, "--precision bf16 --max-steps 9").status == 0);
  REQUIRE(train(parts, "--precision bf16 --max-steps 5").status == 0);
  REQUIRE(train(parts, "--precision bf16 --max-steps 9 --resume auto").status == 0);
  CHECK(read_text(folder / "whole/last.safetensors") == read_text(folder / "parts/last.safetensors"));
  check_failure(train(parts, "--precision f32 --resume auto"), 2, {"--precision", "f32", "bf16"});
}

TEST_CASE("--precision auto tries the batch that there will be, not a larger one that was asked for") {
  if (!autodidact::engine::onednn::has_bf16()) return;
  const ScratchDirectory folder;
  const std::string weights = (folder / "run/last.safetensors").string(), batch = (folder / "b.safetensors").string(),
                    image = (folder / "images/test/0/000000.png").string(), more = kFixed + "--precision auto ";
  const auto check_tried = [](const std::string& command, const char* what) {
    CAPTURE(command);
    const Outcome outcome = run(command);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(contains(outcome.err, what));
  };
  check_tried("train --batch 700 --epochs 1 --out " + (folder / "run").string() + kTinyNetwork + kTinyData + more, ": a step of 58 images takes");
  check_tried("eval --batch 700 --weights " + weights + kTinyData + more, ": a batch of 12 images takes");
  REQUIRE(run("data --export " + (folder / "images").string() + kTinyData).status == 0);
  check_tried("predict --batch 700 --weights " + weights + more + image + " " + image, ": a batch of 2 images takes");
  const std::vector<float> images(3 * 3 * 8 * 8);
  autodidact::train::write_safetensors(batch, {}, std::vector{autodidact::train::view_of<float>("images", {3, 3, 8, 8}, images)});
  check_tried("eval --batch " + batch + " --weights " + weights + more, ": a batch of 3 images takes");
}

TEST_CASE("gradcheck --precision bf16 proves every op at the accuracy of bf16, and leaves networks to bench step --check") {
  if (!autodidact::engine::onednn::has_bf16()) return;
  const Outcome checked = run("gradcheck --threads 1 --precision bf16 --json -");
  INFO(checked.err);
  REQUIRE(checked.status == 0);
  double rounded = 0;
  const Json result = Json::parse(checked.out);
  for (const Json& one : result["cases"])
    if (one["op"] == "convolution") rounded = std::max(rounded, one["fast"].get<double>());
  CHECK(rounded > 1e-4);  // f32 would show 1e-7
  check_failure(run("gradcheck --network --precision bf16"), 2, {"is for ops", "bench step --check"});
}
