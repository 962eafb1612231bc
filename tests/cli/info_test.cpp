#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/threads.hpp"
#include "tests/cli/program.hpp"

using namespace autodidact::cli::testing;

TEST_CASE("info: the machine and its libraries") {
  const Outcome text = run("info");
  CHECK(text.status == 0);
  for (const char* part : {"CPU", "AVX-512", "oneDNN", "wait policy"}) CHECK(contains(text.out, part));
  CHECK_FALSE(contains(text.out, "memory to train"));

  const Outcome outcome = run("info --threads 1 --json -", "OMP_WAIT_POLICY=passive");
  REQUIRE(nlohmann::json::accept(outcome.out));
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json.at("cores").at("allowed") == autodidact::engine::allowed_cores());
  CHECK(json.at("lanes").at("wide") == 1);
  CHECK(json.at("threading") == autodidact::engine::threading_name());
  CHECK(json.at("openmp").at("OMP_WAIT_POLICY") == "passive");
  CHECK_FALSE(json.at("onednn").at("version").get<std::string>().empty());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their shadow memory is no part of a step
TEST_CASE("info: the forecast of memory is what a step takes, within five parts in a hundred") {
  for (const std::string recompute : {"auto", "stage"}) {
    const std::string step = " --model resnet18 --width 8 --batch 768 --classes 100 --choose fixed --recompute " + recompute + " --json -";
    const Outcome forecast = run("info" + step), taken = run("bench step --steps 1" + step);
    REQUIRE(nlohmann::json::accept(forecast.out));
    REQUIRE(nlohmann::json::accept(taken.out));
    const double expected = nlohmann::json::parse(forecast.out).at("memory").at("total").get<double>();
    const double peak = nlohmann::json::parse(taken.out).at("peak_rss_bytes").get<double>();
    CAPTURE(recompute);
    CAPTURE(expected);
    CAPTURE(peak);
    CHECK(std::abs(expected - peak) <= 0.05 * peak);
  }
}
#endif

TEST_CASE("info: the forecast of memory grows with the batch, that of parameters does not") {
  const auto memory = [](const char* batch) {
    const Outcome outcome = run("info --json - --batch " + std::string(batch) + kTinyNetwork + kTinyImages);
    REQUIRE(nlohmann::json::accept(outcome.out));
    return nlohmann::json::parse(outcome.out).at("memory");
  };
  const auto small = memory("32"), large = memory("512");
  CHECK(large.at("arena").get<double>() > 2 * small.at("arena").get<double>());
  CHECK(large.at("values") == small.at("values"));
  CHECK(small.at("values").get<double>() >= 4 * small.at("parameters").get<double>());
  CHECK(small.at("values") == small.at("momentum"));
}
