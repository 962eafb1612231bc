// `autodidact report` as its users run it.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;
}  // namespace

TEST_CASE("report: the folders that train writes become a page, with the machine, even after the last line was cut") {
  const ScratchDirectory folder;
  const std::string first = (folder / "first").string(), second = (folder / "second").string(), page = (folder / "page.html").string();
  const std::string train = "train --batch 16 --epochs 2 --lr 0.01" + kTinyData + kTinyNetwork + kFixed + "--out ";
  REQUIRE(run(train + first).status == 0);
  REQUIRE(run(train + second + " --recipe baseline").status == 0);
  CHECK(read_text(first + "/config.toml").starts_with("# machine: "));
  CHECK(read_text(first + "/metrics.csv").starts_with("step,epoch,"));

  const Outcome one = run("report " + first + " --out " + page);
  INFO(one.err);
  REQUIRE(one.status == 0);
  CHECK(one.err.empty());
  CHECK(one.out == page + ": 1 run\n");
  CHECK(contains(read_text(page), "<h1>first</h1>"));
  CHECK(contains(read_text(page), ", 2 threads</p>"));

  write_text(first + "/metrics.jsonl", read_text(first + "/metrics.jsonl") + "{\"step\":");
  const Outcome two = run("report " + first + " " + second + " --out " + page);
  REQUIRE(two.status == 0);
  CHECK(two.out == page + ": 2 runs\n");
  CHECK(contains(read_text(page), "is cut off"));
  CHECK(contains(read_text(page), "<th scope=\"row\">recipe</th>\n<td>seed</td>\n<td>baseline</td>"));
}

TEST_CASE("report: what it cannot do is said in one sentence with the code of its kind") {
  const ScratchDirectory folder;
  const std::string page = (folder / "page.html").string(), directory = folder.path().string();
  check_failure(run("report --out " + page), 2, {"runs"});
  check_failure(run("report " + directory), 2, {"--out"});
  check_failure(run("report " + directory + "/none --out " + page), 3, {"none: no such run directory"});
  check_failure(run("report " + directory + " --out " + page), 3, {"config.toml: no such file"});
  write_text(folder / "config.toml", "seed=1\n");
  write_text(folder / "metrics.jsonl", "what\n");
  check_failure(run("report " + directory + " --out " + page), 3, {"metrics.jsonl: line 1 is not JSON at byte 1"});
  write_text(folder / "metrics.jsonl", "");
  check_failure(run("report " + directory + " --out " + directory + "/no/page.html"), 7, {"page.html"});
  CHECK_FALSE(std::filesystem::exists(page));
}
