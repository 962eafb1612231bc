#include "train/exit_policy_file.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/train/scratch.hpp"
#include "train/errors.hpp"

namespace {
using namespace autodidact::train;
using namespace autodidact::train::testing;
using Json = nlohmann::ordered_json;

PolicyFile whole_file() {
  const RungCosts small{1, 0.7, {.01, .02, .03, .04}, {.1, .2, .3, .4}, {.5, .6, .7, .08}};
  RungCosts large = small;
  large.images = 64;
  PolicyFile file;
  file.policy = {.measure = Measure::entropy, .exits = {{1, 0.1}, {3, 1.0 / 3}}, .otherwise = Otherwise::ensemble};
  file.batch = 64;
  file.network = policy_network(ModelInfo{.width = 16});
  file.weights = "0123456789abcdef";
  file.machine = "a machine, 2 threads";
  file.times = ExitCosts({large, small});
  file.validation = {.images = 500, .seed = std::numeric_limits<std::uint64_t>::max(), .full = {{1, 2, kMissing, 4}, 5}, .accuracy = 93.2,
                     .share_per_exit = {.5, .25, 0, .25}, .ms_per_image = .25, .trunk_ms_per_image = .5};
  file.frontier = {{0.3, 88.5, {.exits = {{1, 0.5}}}}, {1, 91, {}}};
  return file;
}

std::string complaint(const std::filesystem::path& path) {
  try {
    (void)read_policy(path);
  } catch (const FileFormatError& error) {
    return error.what();
  }
  return "";
}
}  // namespace

TEST_CASE("policy file: what is written is read again") {
  const ScratchDirectory folder;
  const PolicyFile file = whole_file();
  write_policy(folder / "p.json", file);
  const PolicyFile again = read_policy(folder / "p.json");
  CHECK(again.policy == file.policy);
  CHECK(again.times == file.times);
  CHECK(again.frontier == file.frontier);
  CHECK(again.network == file.network);
  CHECK(policy_text(again) == policy_text(file));
  CHECK(read_text(folder / "p.json") == policy_text(file));
}

TEST_CASE("policy file: one written by hand needs only what decides") {
  const ScratchDirectory folder;
  write_text(folder / "p.json", R"({"format": "autodidact exit policy", "version": 1, "measure": "max_softmax",
    "exits": [{"exit": 1, "threshold": 0.98}, {"exit": 2, "threshold": 0.97}, {"exit": 3, "threshold": 0.98}, {"exit": 4, "threshold": 0.95}],
    "otherwise": "ensemble"})");
  const PolicyFile file = read_policy(folder / "p.json");
  CHECK(file.policy.exits.size() == 4);
  CHECK_FALSE(file.times);
  CHECK_NOTHROW(require_network("p.json", file, ModelInfo{}));
}

TEST_CASE("policy file: a file that is damaged or makes no sense is named, and why") {
  const ScratchDirectory folder;
  const auto path = folder / "p.json";
  const std::string whole = policy_text(whole_file());
  CHECK(complaint(folder / "none.json").find("none.json") != std::string::npos);
  for (std::size_t bytes = 0; bytes + 2 < whole.size(); bytes += 97) {
    write_text(path, whole.substr(0, bytes));
    CAPTURE(bytes);
    CHECK(complaint(path).find("p.json") != std::string::npos);
  }
  write_text(path, std::string(200000, '['));
  CHECK(complaint(path).find("p.json") != std::string::npos);
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');  // whole, so that it is more than a parser's matter
  for (const std::string& text : {deep, "{\"format\":" + deep + "}", whole.substr(0, whole.rfind('}')) + ",\"exit\":" + deep + "}"}) {
    write_text(path, text);
    CHECK(complaint(path).find("nested deeper than") != std::string::npos);
  }
  write_text(path, "{\"format\":\"x\"," + whole.substr(1));
  CHECK(complaint(path).find("p.json is no policy: it has the key \"format\" twice") != std::string::npos);

  // What to change, and a word of the answer.
  const Json good = Json::parse(whole);
  const std::pair<Json, const char*> bad[] = {
      {{{"op", "replace"}, {"path", "/format"}, {"value", "x"}}, "format"},
      {{{"op", "replace"}, {"path", "/version"}, {"value", 2}}, "version"},
      {{{"op", "remove"}, {"path", "/measure"}}, "measure"},
      {{{"op", "replace"}, {"path", "/measure"}, {"value", "max"}}, "max_softmax"},
      {{{"op", "replace"}, {"path", "/measure"}, {"value", 7}}, "measure"},
      {{{"op", "replace"}, {"path", "/otherwise"}, {"value", "exit9"}}, "exit9"},
      {{{"op", "replace"}, {"path", "/exits"}, {"value", 3}}, "exits"},
      {{{"op", "replace"}, {"path", "/exits/0/exit"}, {"value", 4294967297}}, "exits must ascend"},
      {{{"op", "replace"}, {"path", "/exits/0/exit"}, {"value", 3}}, "exits must ascend"},
      {{{"op", "replace"}, {"path", "/exits/0/threshold"}, {"value", -1}}, "threshold"},
      {{{"op", "replace"}, {"path", "/exits/0/threshold"}, {"value", "high"}}, "threshold"},
      {{{"op", "replace"}, {"path", "/exits/0"}, {"value", 0.5}}, "exit"},
      {{{"op", "replace"}, {"path", "/batch"}, {"value", 0}}, "batch"},
      {{{"op", "replace"}, {"path", "/network"}, {"value", 1}}, "network"},
      {{{"op", "replace"}, {"path", "/network/width"}, {"value", 16}}, "width"},
      {{{"op", "replace"}, {"path", "/times/0/head_ms/0"}, {"value", 0}}, "positive"},
      {{{"op", "replace"}, {"path", "/times/0/stage_ms"}, {"value", {1, 2}}}, "stage_ms"},
      {{{"op", "replace"}, {"path", "/times/0/images"}, {"value", 64}}, "distinct"},
      {{{"op", "replace"}, {"path", "/times"}, {"value", Json::array()}}, "times"},
      {{{"op", "replace"}, {"path", "/validation"}, {"value", 1}}, "images"},
      {{{"op", "replace"}, {"path", "/frontier/0/accuracy"}, {"value", "a"}}, "accuracy"}};
  for (const auto& [change, word] : bad) {
    CAPTURE(change.dump());
    write_text(path, good.patch(Json::array({change})).dump());
    const std::string sentence = complaint(path);
    INFO(sentence);
    CHECK(sentence.find("p.json") != std::string::npos);
    CHECK(sentence.find(word) != std::string::npos);
  }
}

TEST_CASE("policy file: a policy for another network is refused with the difference") {
  const PolicyFile file = whole_file();
  ModelInfo info{.width = 16};
  info.class_names = {"a"};
  info.recipe = "none";  // how it was trained does not matter
  CHECK_NOTHROW(require_network("p.json", file, info));
  info.width = 32;
  CHECK_THROWS_WITH_AS(require_network("p.json", file, info), "p.json is for another network: its width is 16, here it is 32", FileFormatError);
}
