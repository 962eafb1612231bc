// --dump-config writes what --config reads: the same options again.
#include <doctest/doctest.h>

#include "tests/cli/program.hpp"

namespace {
using namespace autodidact::cli::testing;

struct Sample {
  const char* command;
  std::string options;
  const char* shown;  // in the dump
};

const Sample kSamples[] = {
    {"train", "--data synthetic:64 --out x --epochs 7 --alpha 0.25 --t2 --feature-exits 1,3 --no-decay-bn", "epochs=7"},
    {"eval", "--weights w --data synthetic:64 --batch 32", "batch=32"},
    {"init", "--out w --seed 5 --zero-init-residual", "seed=5"},
    {"plan", "--batch 32 --choose fixed --model resnet50 --dilate 3,4", "batch=32"},
    {"gradcheck", "--op relu --threads 1", "op=\"relu\""},
    {"trace", "--weights w --batch b --out t --lr 0.01 --nesterov --backend reference", "lr=0.01"},
    {"info", "--model resnet34 --batch 8", "model=\"resnet34\""},
};
}  // namespace

TEST_CASE("config: what --dump-config writes, --config reads back") {
  const ScratchDirectory folder;
  const std::string config = (folder / "c.toml").string();
  for (const Sample& sample : kSamples) {
    CAPTURE(sample.command);
    const std::string command = std::string(sample.command) + " ";
    const Outcome dump = run(command + sample.options + " --dump-config");
    INFO(dump.err);
    REQUIRE(dump.status == 0);
    CHECK(contains(dump.out, sample.shown));
    write_text(config, dump.out);
    const Outcome again = run(command + "--config " + config + " --dump-config");
    INFO(again.err);
    CHECK(again.status == 0);
    CHECK(again.out == dump.out);
  }
}

TEST_CASE("config: a file without an end, and one whose sections would take memory without end, are refused") {
  const ScratchDirectory folder;
  const std::string config = (folder / "c.toml").string();
  std::string deep = "epochs=7\n[a";
  for (int level = 0; level < 100000; ++level) deep += ".a";
  write_text(config, deep + "]\nx=1\n");
  check_failure(run("plan --config " + config), 2, {"line 2 of the config file begins a section"});
  check_failure(run("plan --config /dev/zero"), 2, {"the config file has more than 1048576 bytes"});
}

TEST_CASE("config: options on the command line win") {
  const ScratchDirectory folder;
  const std::string config = (folder / "c.toml").string();
  write_text(config, "batch=32\nmodel=\"resnet50\"\n");
  const Outcome dump = run("plan --config " + config + " --batch 16 --dump-config");
  CHECK(dump.status == 0);
  CHECK(contains(dump.out, "batch=16"));
  CHECK(contains(dump.out, "model=\"resnet50\""));
}

TEST_CASE("config: a switch beats its opposite in the file, and one that was not given is not written") {
  const ScratchDirectory folder;
  const std::string config = (folder / "c.toml").string();
  for (const char* name : {"t2", "adaptation"}) {
    const std::string on = std::string(name) + "=true", off = std::string(name) + "=false";
    CHECK_FALSE(contains(run("plan --dump-config").out, name));
    CHECK(contains(run("plan --dump-config --" + std::string(name)).out, on));
    CHECK(contains(run("plan --dump-config --no-" + std::string(name)).out, off));
    write_text(config, on + "\n");
    CHECK(contains(run("plan --dump-config --config " + config).out, on));
    CHECK(contains(run("plan --dump-config --config " + config + " --no-" + name).out, off));
  }
}

TEST_CASE("config: values with blanks, quotes and equals signs come back as they were") {
  const ScratchDirectory folder;
  const std::string config = (folder / "c.toml").string();
  for (const char* value : {"'a b'", "'a=b'", "'#a'", "a,b", "'a[1]'", "\"it's\"", "'say \"x\"'", "1e3", "true"}) {
    CAPTURE(value);
    const Outcome dump = run("init --dump-config --out " + std::string(value));
    write_text(config, dump.out);
    const Outcome again = run("init --dump-config --config " + config);
    INFO(dump.out, again.err);
    CHECK(again.status == 0);
    CHECK(again.out == dump.out);
  }
}

TEST_CASE("config: a command that reads weights leaves to them what was not given") {
  const Outcome dump = run("eval --weights w --data synthetic:64 --width 8 --dump-config");
  CHECK(dump.status == 0);
  CHECK(contains(dump.out, "width=8"));
  CHECK_FALSE(contains(dump.out, "model="));
}

// The absence of these says something: the goal that is not --budget-ms, no policy, the policy's own batch size.
TEST_CASE("config: what is not given is not written where its absence has a meaning, so that --config takes the rest back") {
  const ScratchDirectory folder;
  const std::string config = (folder / "c.toml").string();
  struct Meaning {
    std::string command, options, absent;
  };
  for (const auto& [command, options, absent] :
       {Meaning{"calibrate", "--weights w --data synthetic --out p --budget-ms 0.2", "accuracy-drop"}, {"eval", "--weights w --data synthetic", "pairs"},
        {"eval", "--weights w --data synthetic --policy p", "batch"}, {"predict", "--weights w --policy p i.png", "batch"},
        {"report", "r --out o", "policy"}}) {
    CAPTURE(command);
    const Outcome dump = run(command + " " + options + " --dump-config");
    INFO(dump.err);
    REQUIRE(dump.status == 0);
    CHECK_FALSE(contains(dump.out, absent + "="));
    write_text(config, dump.out);
    // It gets as far as the files that are not there.
    const int status = run(command + " --config " + config).status;
    CHECK((status == 3 || status == 4));
  }
}
