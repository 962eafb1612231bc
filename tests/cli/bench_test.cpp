#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

using namespace autodidact::cli::testing;

TEST_CASE("bench step: the figures of a step, the second start without measuring") {
  const ScratchDirectory folder;
  const std::string cache = (folder / "plan.txt").string();
  const std::string step = "bench step --batch 4 --steps 2 --plan-cache " + cache + kTinyNetwork + kTinyImages;
  std::filesystem::file_time_type written;
  for (int start = 0; start < 2; ++start) {
    const Outcome outcome = run(step + " --json -");
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(outcome.err.empty());
    REQUIRE(nlohmann::json::accept(outcome.out));
    const auto json = nlohmann::json::parse(outcome.out);
    for (const char* key : {"median_s", "min_s", "first_step_s", "images_per_s", "peak_rss_bytes", "arena_bytes", "floor_s"})
      CHECK(json.at(key).get<double>() > 0);
    CHECK(json.at("min_s").get<double>() <= json.at("median_s").get<double>());
    CHECK(json.at("precision") == "f32");
    // Whoever measures writes the file.
    REQUIRE(std::filesystem::exists(cache));
    if (start > 0) CHECK(std::filesystem::last_write_time(cache) == written);
    written = std::filesystem::last_write_time(cache);
  }
  write_text(cache, "damaged");
  const Outcome again = run(step);
  CHECK(again.status == 0);
  CHECK(contains(again.err, "measuring again"));
  CHECK(contains(again.out, "step, median"));
}

TEST_CASE("bench floor measures, so it refuses not to") {
  const Outcome outcome = run("bench floor --choose fixed" + kTinyNetwork + kTinyImages);
  CHECK(outcome.status == 2);
  CHECK(ends_with_sentence(outcome.err));
}

TEST_CASE("bench infer: the figures of inference, without those of training") {
  const Outcome outcome = run("bench infer --batch 4 --steps 2 --plan-cache off --json -" + kTinyNetwork + kTinyImages);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  for (const char* key : {"median_s", "min_s", "first_step_s", "images_per_s", "peak_rss_bytes", "arena_bytes", "floor_s"})
    CHECK(json.at(key).get<double>() > 0);
  CHECK(!json.contains("recompute"));
}

TEST_CASE("bench step --check: the step that is timed is held against the textbook") {
  const Outcome outcome = run("bench step --check --batch 4 --steps 1 --choose fixed --json -" + kTinyNetwork + kTinyImages);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(contains(outcome.err, "against the textbook in f64"));
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json.at("peak_rss_bytes").is_null());
  const auto check = json.at("check");
  CHECK(check.at("errors").size() > 50);
  for (const auto& [name, error] : check.at("errors").items()) CHECK(error.get<double>() <= check.at("tolerance").get<double>());
}

TEST_CASE("bench: --check belongs to the step") {
  const Outcome outcome = run("bench infer --check" + kTinyNetwork + kTinyImages);
  CHECK(outcome.status == 2);
  CHECK(ends_with_sentence(outcome.err));
}

TEST_CASE("bench ops and bench peers are programs beside this one, and take options of their own") {
  check_failure(run("bench --steps 3 peers"), 2, {"behind 'peers'"});
  const Outcome ops = run("bench ops --benchmark_list_tests");
  if (ops.status == 0) CHECK(contains(ops.out, "attention_gate/layer1_64_32px"));
  else check_failure(ops, 2, {"bench ops is not here", "AUTODIDACT_BENCH"});
  check_failure(run("bench peers", "PATH=/nowhere"), 2, {"cannot start python3"});
  if (std::system("python3 -c '' 2>/dev/null") != 0) return;
  const Outcome help = run("bench peers --help");
  CHECK(help.status == 0);
  CHECK(contains(help.out, "--ipex-python"));
  // Their exit codes are ours.
  CHECK(run("bench peers --json /nowhere/peers.json").status == 1);
}
