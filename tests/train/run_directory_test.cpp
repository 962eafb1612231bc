#include "train/run_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/train/scratch.hpp"
#include "train/atomic_file.hpp"
#include "train/errors.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {

std::string refusal(const std::filesystem::path& directory, ExistingRun existing) {
  return message_of<std::invalid_argument>([&] { RunDirectory(directory, existing); });
}

}  // namespace

TEST_CASE("a run directory is created with its parents and names its files") {
  const ScratchDirectory scratch;
  const RunDirectory run(scratch / "a/b/c", ExistingRun::refuse);
  CHECK(std::filesystem::is_directory(scratch / "a/b/c"));
  CHECK(run.metrics() == scratch / "a/b/c/metrics.jsonl");
  CHECK(run.metrics_csv() == scratch / "a/b/c/metrics.csv");
  CHECK(run.config() == scratch / "a/b/c/config.toml");
  CHECK(run.last_weights() == scratch / "a/b/c/last.safetensors");
  CHECK(run.best_weights() == scratch / "a/b/c/best.safetensors");
  CHECK(run.exits_chart() == scratch / "a/b/c/exits.svg");
}

TEST_CASE("a run directory that is a file, or has no name, is refused") {
  const ScratchDirectory scratch;
  write_text(scratch / "out", "I am a file");
  CHECK(refusal(scratch / "out", ExistingRun::overwrite) ==
        "the output directory " + (scratch / "out").string() + " is a file; choose another --out");
  CHECK(refusal("", ExistingRun::refuse) == "the output directory has an empty name");
  CHECK(read_text(scratch / "out") == "I am a file");
}

TEST_CASE("a directory that holds a run is refused with the way out, and is left as it was") {
  for (const char* file :
       {"metrics.jsonl", "metrics.csv", "config.toml", "last.safetensors", "best.safetensors", "exits.svg",
        "result.json", "confusion.json"}) {
    const ScratchDirectory scratch;
    write_text(scratch / file, "precious");
    CHECK(refusal(scratch.path(), ExistingRun::refuse) ==
          scratch.path().string() + " already holds a run (" + file +
              "); choose another --out, or --overwrite to replace it, or --resume auto to go on with it");
    CHECK(read_text(scratch / file) == "precious");
  }
}

TEST_CASE("overwriting removes the files of the run and nothing else") {
  const ScratchDirectory scratch;
  const std::string left_over = partial_prefix("last.safetensors") + "77-0";
  for (const std::string& file : {std::string("metrics.jsonl"), std::string("best.safetensors"),
                                  std::string("events.out.tfevents.1764012345.autodidact"),
                                  left_over, std::string("notes.txt"), std::string("my.svg")}) {
    write_text(scratch / file, "x");
  }
  const RunDirectory run(scratch.path(), ExistingRun::overwrite);
  CHECK(scratch.names().size() == 6);  // until the new run begins
  run.begin();
  std::vector<std::string> names = scratch.names();
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"my.svg", "notes.txt"});
}

TEST_CASE("a run that goes on keeps its files, but for what says that it has ended") {
  const ScratchDirectory scratch;
  for (const char* file : {"metrics.jsonl", "result.json", "confusion.json", "exits.svg"}) write_text(scratch / file, "x");
  RunDirectory(scratch.path(), ExistingRun::resume).go_on();
  std::vector<std::string> names = scratch.names();
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"exits.svg", "metrics.jsonl"});
}

TEST_CASE("files that are not of a run are no hindrance") {
  const ScratchDirectory scratch;
  write_text(scratch / "notes.txt", "x");
  CHECK_NOTHROW(RunDirectory(scratch.path(), ExistingRun::refuse));
}

TEST_CASE("a directory in use cannot be taken or overwritten by a second run") {
  const ScratchDirectory scratch;
  {
    const RunDirectory run(scratch.path(), ExistingRun::refuse);
    write_text(run.metrics(), "in progress");
    CHECK(refusal(scratch.path(), ExistingRun::overwrite) ==
          "another process is writing its run to " + scratch.path().string() +
              "; choose another --out");
    CHECK(read_text(run.metrics()) == "in progress");
  }
  CHECK_NOTHROW(RunDirectory(scratch.path(), ExistingRun::overwrite));
}

TEST_CASE("a directory that cannot be created or written to is a resource error at once") {
  const ScratchDirectory scratch;
  std::string creating, writing;
  {
    const WithoutWriteAccess guard(scratch.path());
    if (!guard.effective()) return;
    creating =
        message_of<ResourceError>([&] { RunDirectory(scratch / "new", ExistingRun::refuse); });
    writing = message_of<ResourceError>([&] { RunDirectory(scratch.path(), ExistingRun::refuse); });
  }
  CHECK(creating ==
        "cannot create the directory " + (scratch / "new").string() + ": Permission denied");
  CHECK(writing ==
        "cannot write to the directory " + scratch.path().string() + ": Permission denied");
}
