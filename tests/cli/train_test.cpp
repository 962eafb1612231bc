// A run from the first weights to the accuracy of the trained ones, and tables as JSON.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

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
}  // namespace

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
}
